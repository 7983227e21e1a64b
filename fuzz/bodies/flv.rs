//! Whatever bytes they are: the same tags and the same end in one read and in many, and none that is longer than what came.

use aqueduct::flv::{FlvError, FlvReader, FlvTag};

/// The length of the pieces, whether the file's header is behind us, and the bytes.
pub fn run(bytes: &[u8]) {
    let Some((&[piece, begun], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let reader = || match begun & 1 {
        1 => FlvReader::between_tags(),
        _ => FlvReader::new(),
    };
    let mut whole = reader();
    let in_one = read(&mut whole, [rest]);
    let mut pieces = reader();
    let in_many = read(&mut pieces, rest.chunks(usize::from(piece) + 1));
    assert_eq!(in_one, in_many);
    assert_eq!(whole.is_between_tags(), pieces.is_between_tags());
    let (tags, end) = in_one;
    let media: usize = tags.iter().map(|tag| tag.payload.len() + 11).sum();
    assert!(media <= rest.len());
    match end {
        None => assert_eq!(whole.bytes_read(), rest.len() as u64),
        // What was no FLV once is none for ever.
        Some(error) => assert_eq!(whole.read(&mut &b"FLV"[..]), Err(error)),
    }
}

fn read<'a>(
    reader: &mut FlvReader,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<FlvTag>, Option<FlvError>) {
    let mut tags = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(error) => return (tags, Some(error)),
            }
        }
        assert!(piece.is_empty());
    }
    (tags, None)
}
