//! Real encoders that publish.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::child::Program;

/// ffmpeg publishes `file` unchanged, in real time, and ends with it.
pub fn ffmpeg(ffmpeg: &Path, file: &Path, url: &str) -> Program {
    let mut command = Command::new(ffmpeg);
    command
        .args(["-v", "warning", "-re", "-i"])
        .arg(file)
        .args(["-c", "copy", "-f", "flv", url]);
    Program::start("ffmpeg", &mut command)
}

/// ffmpeg copies `file` into another one, as it would publish it.
pub async fn copy(ffmpeg: &Path, file: &Path, to: &Path) {
    let mut command = Command::new(ffmpeg);
    command
        .args(["-v", "warning", "-i"])
        .arg(file)
        .args(["-c", "copy", "-f", "flv"])
        .arg(to);
    Program::start("ffmpeg", &mut command)
        .succeed(Duration::from_secs(20))
        .await;
}

/// GStreamer encodes `seconds` of live H.264 and AAC, publishes them, and writes what it publishes to `copy` as well.
pub fn gstreamer(seconds: u32, url: &str, copy: &Path) -> Program {
    let buffers = seconds * 25;
    // 1764 samples are 1/25 s at 44100 Hz, so that sound and picture end together.
    let pipeline = format!(
        "flvmux name=mux streamable=true ! tee name=both \
         both. ! queue ! rtmp2sink location={url} \
         both. ! queue ! filesink location={} \
         videotestsrc is-live=true num-buffers={buffers} ! video/x-raw,width=320,height=180,framerate=25/1 \
         ! x264enc speed-preset=veryfast bframes=2 key-int-max=50 bitrate=300 ! h264parse ! queue ! mux. \
         audiotestsrc is-live=true samplesperbuffer=1764 num-buffers={buffers} ! audio/x-raw,rate=44100,channels=2 \
         ! avenc_aac ! aacparse ! queue ! mux.",
        copy.display(),
    );
    let mut command = Command::new("gst-launch-1.0");
    command.args(["-e", "-q"]).args(pipeline.split_whitespace());
    Program::start("gst-launch-1.0", &mut command)
}
