//! How is text that a peer wrote made fit to be stored and shown?

use crate::rtmp::limits::{STATUS_CODE_CHARS_MAX, STATUS_DESCRIPTION_CHARS_MAX};
use crate::secret::{ECHOED_PIECE_BYTES_MIN, Secret, mask_text, parameters};

/// A peer's sentence, bounded, with whatever could drive a terminal escaped. It may hold a key that the peer echoed.
pub(super) fn description(text: &str) -> String {
    let mut shown = String::new();
    let mut chars = 0;
    for c in text.chars() {
        let escaped = if drives_a_terminal(c) {
            c.escape_unicode().to_string()
        } else {
            c.to_string()
        };
        chars += escaped.chars().count();
        if chars > STATUS_DESCRIPTION_CHARS_MAX {
            break;
        }
        shown.push_str(&escaped);
    }
    shown
}

/// A peer's status code, bounded and reduced to the letters that codes are made of; a key that was put there is masked, and
/// so is each value of its query.
pub(super) fn code(text: &str, name: &Secret) -> String {
    let bounded: String = text.chars().take(STATUS_CODE_CHARS_MAX).collect();
    let (key, query) = name.expose().split_once('?').unwrap_or((name.expose(), ""));
    let values = parameters(query).filter(|value| value.len() >= ECHOED_PIECE_BYTES_MIN);
    let secrets: Vec<&str> = [name.expose(), key].into_iter().chain(values).collect();
    let shown = plain(&masked(
        &bounded,
        secrets.iter().map(|secret| (*secret).into()),
    ));
    // What was left out may have stood inside the key, and is left out of a key too.
    masked(&shown, secrets.iter().map(|secret| plain(secret).into()))
}

fn masked(text: &str, secrets: impl Iterator<Item = Secret>) -> String {
    let secrets: Vec<Secret> = secrets.collect();
    mask_text(text, &secrets.iter().collect::<Vec<_>>())
}

/// The letters that codes are made of, and those of a mask.
fn plain(text: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '*');
    text.chars().filter(is_plain).collect()
}

/// Control characters, line and paragraph separators, and the marks that reorder or hide what stands around them.
fn drives_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_bounded_and_cannot_drive_a_terminal() {
        assert_eq!(
            description("Stream is already publishing."),
            "Stream is already publishing."
        );
        assert_eq!(description("a\u{1b}[2Jb\r\nc"), "a\\u{1b}[2Jb\\u{d}\\u{a}c");
        assert_eq!(description("\u{202e}txt"), "\\u{202e}txt");
        assert_eq!(description("Ausführung 拒绝"), "Ausführung 拒绝");
        assert_eq!(
            description(&"é".repeat(300)).chars().count(),
            STATUS_DESCRIPTION_CHARS_MAX
        );
        assert!(description(&"\u{7f}".repeat(300)).chars().count() <= STATUS_DESCRIPTION_CHARS_MAX);
    }

    #[test]
    fn a_code_is_letters_and_never_the_key() {
        let name = Secret::from("s3cr3t-key?x=1");
        assert_eq!(
            code("NetStream.Publish.BadName", &name),
            "NetStream.Publish.BadName"
        );
        assert_eq!(code("Net Stream\n\u{1b}[2J", &name), "NetStream2J");
        assert_eq!(code("No.s3cr3t-key", &name), "No.***");
        assert_eq!(code("No.s3cr3t\u{1}-key", &name), "No.***");
        let signed = Secret::from("s3cr3t-key?sign=canary8token&x=1");
        assert_eq!(code("No.canary8token", &signed), "No.***");
        assert_eq!(code("No.canary8\u{1}token", &signed), "No.***");
        let odd = Secret::from("s3cr3t+key/x");
        assert_eq!(code("No.s3cr3t+key/x", &odd), "No.***");
        assert_eq!(code("No.s3cr3tkeyx", &odd), "No.***");
        assert_eq!(code(&"x".repeat(1000), &name).len(), STATUS_CODE_CHARS_MAX);
    }
}
