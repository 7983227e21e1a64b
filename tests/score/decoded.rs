//! What a decoder makes of what a slow target was given.

use super::common::child::Program;
use super::common::flv::{self, Tag};
use super::common::gateway::Gateway;
use super::common::{encoder, media};
use super::target::{self, Ear, Mood};
use aqueduct::media::MediaKind;
use aqueduct::rtmp::session::Media;
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// Real pictures on their way to a target that takes half of their bitrate.
pub struct Watched {
    source: PathBuf,
    _publisher: Program,
    recordings: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Pictures that were published, and those of them that arrived.
    pub published: usize,
    pub arrived: usize,
    /// Lines that the decoder had to say.
    pub errors: usize,
    /// Pictures that do not look as the encoder's do.
    pub spoilt: usize,
}

impl Watched {
    /// Begins to publish so many seconds of an encoder's H.264, with B pictures and sound.
    pub async fn start(gateway: &Gateway, seconds: u32) -> Self {
        let source = media::h264_aac(seconds, 1);
        let bytes = std::fs::metadata(&source).map_or(0, |file| file.len());
        let in_a_tenth = bytes / u64::from(seconds) / 10 / 2;
        let mood = Mood::Crawls(usize::try_from(in_a_tenth).unwrap_or(usize::MAX));
        let recordings = Arc::default();
        let target = record(mood, &recordings);
        let url = format!("rtmp://{target}/app/real");
        gateway.create_rule("real", &url).await;
        let publisher = encoder::ffmpeg(Path::new("ffmpeg"), &source, &gateway.publish_url("real"));
        Self {
            source,
            _publisher: publisher,
            recordings,
        }
    }

    /// Decodes what has arrived so far, on every connection by itself.
    pub fn decode(&self) -> Decoded {
        let whole = pictures(&self.source);
        let known: HashSet<_> = whole.pictures.iter().collect();
        let mut decoded = Decoded {
            published: whole.pictures.len(),
            errors: whole.errors,
            ..Decoded::default()
        };
        let recordings = self.recordings.lock();
        for recording in recordings.unwrap_or_else(PoisonError::into_inner).iter() {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(&file, recording).expect("room for it");
            let of_it = pictures(file.path());
            decoded.arrived += of_it.pictures.len();
            decoded.errors += of_it.errors;
            let strange = of_it.pictures.iter().filter(|one| !known.contains(one));
            decoded.spoilt += strange.count();
        }
        decoded
    }
}

struct Pictures {
    /// A digest of each, as it is shown.
    pictures: Vec<String>,
    errors: usize,
}

/// Decodes pictures and sound of a file.
fn pictures(file: &Path) -> Pictures {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-map", "0:v:0", "-f", "framemd5", "pipe:1"])
        .args(["-map", "0:a:0", "-f", "null", "-"])
        .output()
        .expect("ffmpeg, which ./scripts/test installs");
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines()
        .for_each(|line| eprintln!("score: ffmpeg: {line}"));
    let rows = String::from_utf8_lossy(&output.stdout).into_owned();
    let digest = |row: &str| Some(row.rsplit_once(',')?.1.trim().to_owned());
    Pictures {
        pictures: rows
            .lines()
            .filter(|row| !row.starts_with('#'))
            .filter_map(digest)
            .collect(),
        errors: said.lines().count() + usize::from(!output.status.success()),
    }
}

/// A target of that mood which writes down all that it gets, each connection as a file of its own; where it listens.
fn record(mood: Mood, recordings: &Arc<Mutex<Vec<Vec<u8>>>>) -> SocketAddr {
    let listener = target::listen(false).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let recordings = Arc::clone(recordings);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let mut recorder = Recorder::new(&recordings);
            tokio::spawn(async move {
                // How it ends is another item's affair.
                let _ = target::serve(tcp, mood, &mut recorder).await;
            });
        }
    });
    address
}

struct Recorder {
    recordings: Arc<Mutex<Vec<Vec<u8>>>>,
    place: usize,
}

impl Recorder {
    fn new(recordings: &Arc<Mutex<Vec<Vec<u8>>>>) -> Self {
        let mut all = recordings.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(flv::HEAD.to_vec());
        Self {
            recordings: Arc::clone(recordings),
            place: all.len() - 1,
        }
    }
}

impl Ear for Recorder {
    fn media(&mut self, media: &Media) -> io::Result<()> {
        let kind = match media.kind {
            MediaKind::Audio => flv::AUDIO,
            MediaKind::Video => flv::VIDEO,
            MediaKind::Data => flv::DATA,
        };
        let tag = Tag {
            kind,
            timestamp: media.timestamp,
            payload: media.payload.clone(),
        };
        let mut all = self.recordings.lock();
        let all = all
            .as_mut()
            .map_err(|_| io::Error::other("a recorder died"))?;
        if let Some(recording) = all.get_mut(self.place) {
            recording.extend_from_slice(&tag.written());
        }
        Ok(())
    }

    fn goodbye(&mut self) {}
}
