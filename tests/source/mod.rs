//! Reads Rust text far enough to know which paths a file names: comments and literals are left out, use trees are unfolded.

/// A path as it is named, and the line where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub line: usize,
    pub parts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    line: usize,
    text: String,
}

/// Every path of a file, use trees unfolded: `use a::{b, c::d}` is `a::b` and `a::c::d`. Single names are paths too.
pub fn paths(source: &str) -> Vec<Path> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_name(&tokens[at].text) {
            at = unfold(&tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path that begins at `at` behind `prefix`; returns where it ends.
fn unfold(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let line = tokens[at].line;
    let mut parts = prefix.to_vec();
    loop {
        parts.push(tokens[at].text.clone());
        at += 1;
        if text(tokens, at) != "::" {
            break;
        }
        match text(tokens, at + 1) {
            "{" => return unfold_group(tokens, at + 2, &parts, found),
            next if is_name(next) => at += 1,
            // A glob, or the arguments of a generic.
            _ => {
                at += 1;
                break;
            }
        }
    }
    found.push(Path { line, parts });
    at
}

fn unfold_group(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<Path>,
) -> usize {
    loop {
        match text(tokens, at) {
            "}" => return at + 1,
            "" => return at,
            name if is_name(name) => at = unfold(tokens, at, prefix, found),
            _ => at += 1,
        }
    }
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and single characters; no comments, no literals.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let begin = at;
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        at = match (c, next) {
            ('/', '/') => end_of_line(&chars, at),
            ('/', '*') => end_of_comment(&chars, at),
            ('"', _) => end_of_string(&chars, at),
            ('r', '"' | '#') | ('b', 'r') if raw_string_end(&chars, at).is_some() => {
                raw_string_end(&chars, at).unwrap_or(at + 1)
            }
            ('\'', _) => end_of_char(&chars, at),
            (':', ':') => at + 2,
            _ if c.is_alphanumeric() || c == '_' => chars[at..]
                .iter()
                .position(|c| !(c.is_alphanumeric() || *c == '_'))
                .map_or(chars.len(), |length| at + length),
            _ => at + 1,
        };
        let token: String = chars[begin..at.min(chars.len())].iter().collect();
        let first = token.chars().next().unwrap_or(' ');
        let is_left_out = first.is_whitespace()
            || matches!(first, '"' | '\'')
            || token.starts_with("//")
            || token.starts_with("/*")
            || token.ends_with('"')
            || token.ends_with("\"#");
        if !is_left_out {
            tokens.push(Token {
                line,
                text: token.clone(),
            });
        }
        line += token.matches('\n').count();
    }
    tokens
}

fn end_of_line(chars: &[char], at: usize) -> usize {
    chars[at..]
        .iter()
        .position(|c| *c == '\n')
        .map_or(chars.len(), |length| at + length)
}

fn end_of_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_string(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// Where `r"…"`, `r#"…"#` or `br"…"` ends, if one begins here.
fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let mut at = at + 1 + usize::from(chars[at] == 'b');
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    at += hashes;
    if chars.get(at) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let length = chars[at + 1..]
        .windows(end.len())
        .position(|window| window == end)?;
    Some(at + 1 + length + end.len())
}

/// Where a character literal ends; a lifetime is only its apostrophe.
fn end_of_char(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => chars[at + 3..]
            .iter()
            .position(|c| *c == '\'')
            .map_or(chars.len(), |length| at + 3 + length + 1),
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}
