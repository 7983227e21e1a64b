//! Recorded streams to publish, made once by the real encoder and kept below the build directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

/// Frames in each second of every fixture.
pub const FRAME_RATE: u32 = 25;

/// H.264 with B-frames and AAC, `seconds` long, with a keyframe every `gop_seconds`.
pub fn h264_aac(seconds: u32, gop_seconds: u32) -> PathBuf {
    let gop = (gop_seconds * FRAME_RATE).to_string();
    let video = [
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-bf",
        "2",
        "-b:v",
        "300k",
        "-pix_fmt",
        "yuv420p",
        "-g",
        &gop,
        "-keyint_min",
        &gop,
        "-sc_threshold",
        "0",
    ];
    encode(Path::new("ffmpeg"), seconds, &video)
}

/// HEVC as an Enhanced RTMP tag carries it, and AAC; needs the newer ffmpeg.
pub fn hevc_aac(seconds: u32) -> PathBuf {
    let video = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-b:v",
        "300k",
        "-pix_fmt",
        "yuv420p",
        "-x265-params",
        "keyint=50:min-keyint=50:scenecut=0:bframes=2:pools=1:frame-threads=1:log-level=error",
    ];
    encode(&modern_ffmpeg(), seconds, &video)
}

/// An ffmpeg of version 7 or newer, the first that writes HEVC into FLV: the one that ./scripts/test names or has
/// fetched, else the one on the path.
pub fn modern_ffmpeg() -> PathBuf {
    if let Some(named) = std::env::var_os("AQUEDUCT_TEST_FFMPEG") {
        return named.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let fetched = cache.map(|cache| cache.join("aqueduct-tests/ffmpeg"));
    fetched
        .filter(|place| place.exists())
        .unwrap_or_else(|| PathBuf::from("ffmpeg"))
}

fn encode(ffmpeg: &Path, seconds: u32, video: &[&str]) -> PathBuf {
    let seconds = seconds.to_string();
    let picture = format!("testsrc2=size=320x180:rate={FRAME_RATE}");
    let mut arguments: Vec<&str> = vec![
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        &picture,
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=44100",
    ];
    arguments.extend(["-t", &seconds]);
    arguments.extend(video);
    arguments.extend([
        "-c:a",
        "aac",
        "-b:a",
        "64k",
        "-flvflags",
        "no_duration_filesize",
        "-f",
        "flv",
    ]);

    let place = place_of(ffmpeg, &arguments);
    if place.exists() {
        return place;
    }
    // Tests run at once: each writes a file of its own, and the last to finish puts an equal one in its place.
    let draft =
        tempfile::NamedTempFile::new_in(place.parent().expect("a directory")).expect("a new file");
    let status = Command::new(ffmpeg)
        .args(&arguments)
        .arg("-y")
        .arg(draft.path())
        .stdin(Stdio::null())
        .status()
        .unwrap_or_else(|error| {
            panic!(
                "{} does not start: {error}; ./scripts/test installs it",
                ffmpeg.display()
            )
        });
    assert!(
        status.success(),
        "{} {}",
        ffmpeg.display(),
        arguments.join(" ")
    );
    draft
        .persist(&place)
        .expect("a finished fixture moves into place");
    place
}

/// Keyed by all that decides the content: the encoder's version and its arguments.
fn place_of(ffmpeg: &Path, arguments: &[&str]) -> PathBuf {
    let version = Command::new(ffmpeg)
        .arg("-version")
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{} does not start: {error}; ./scripts/test installs it",
                ffmpeg.display()
            )
        });
    let mut key = Sha256::new();
    key.update(version.stdout);
    for argument in arguments {
        key.update(argument);
        key.update([0]);
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("media");
    std::fs::create_dir_all(&directory).expect("the build directory can be written");
    directory.join(format!("{}.flv", &hex::encode(key.finalize())[..16]))
}
