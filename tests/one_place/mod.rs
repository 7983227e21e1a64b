//! What is done in one place only: dialling, and comparing secrets.

use crate::sources;

/// What connects, or asks a resolver, and the files that may name it: whoever else did would go out past the address policy.
const WAYS_OUT: &[(&str, &[&str])] = &[
    ("TcpStream::connect", &[]),
    ("TcpSocket", &["src/net/dial/mod.rs", "src/net/listener.rs"]),
    ("UdpSocket", &["src/net/own.rs"]),
    ("UnixStream", &[]),
    ("to_socket_addrs", &["src/net/resolve.rs"]),
    ("lookup_host", &[]),
    ("hyper_util::client", &[]),
    // The command line talks to its own gateway.
    ("reqwest", &["src/cli/gateway.rs", "src/cli/rules.rs"]),
];

#[test]
fn only_the_dialer_connects() {
    let mut wrong = Vec::new();
    let mut needed = vec![false; WAYS_OUT.len()];
    for (file, text) in sources() {
        for (place, (name, files)) in WAYS_OUT.iter().enumerate() {
            let Some(line) = names_outside_tests(&file, &text, name) else {
                continue;
            };
            match files.contains(&file.as_str()) {
                true => needed[place] = true,
                false => wrong.push(format!("{file}:{line}: {name}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "net::dial is the only way out; these go past it:\n{}",
        wrong.join("\n")
    );
    for ((name, files), needed) in WAYS_OUT.iter().zip(needed) {
        assert!(needed || files.is_empty(), "{name} is named nowhere");
    }
    let planted = "fn f() {\n    TcpStream::connect(there)\n}\n";
    let found = names_outside_tests("src/notify/post.rs", planted, "TcpStream::connect");
    assert_eq!(found, Some(2));
    let in_a_test = format!("#[cfg(test)]\nmod tests {{\n{planted}}}\n");
    let found = names_outside_tests("src/notify/post.rs", &in_a_test, "TcpStream::connect");
    assert_eq!(found, None);
}

/// The line on which a file names this in its code; what stands in tests and comments does not count.
fn names_outside_tests(file: &str, text: &str, name: &str) -> Option<usize> {
    let is_test = file.ends_with("/tests.rs") || file.contains("/tests/");
    let code = text.split("\nmod tests {").next();
    let mut lines = code
        .unwrap_or_default()
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let found = lines.position(|line| line.contains(name));
    found.filter(|_| !is_test).map(|line| line + 1)
}

/// Where a secret's text is compared as any other text: the file, and why nobody can learn anything from the time.
const COMPARED_OPENLY: &[(&str, &str)] = &[
    ("src/rule/url.rs", "both URLs are ours"),
    ("src/secret/mask.rs", "a secret and itself decoded"),
];

#[test]
fn secrets_are_compared_in_one_place() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let is_known = |(known, _): &(&str, &str)| *known == file;
        for (number, line) in text.lines().enumerate() {
            if compares_a_secret(&file, line) && !COMPARED_OPENLY.iter().any(is_known) {
                wrong.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "secret::is_same compares what a peer shows; here it is done otherwise:\n{}",
        wrong.join("\n")
    );
    // (file, line, whether it is seen)
    for (file, line, seen) in [
        ("src/api/auth.rs", "given == token.expose()", true),
        ("src/api/auth.rs", "if key.expose() != shown {", true),
        ("src/api/auth.rs", "use subtle::ConstantTimeEq;", true),
        ("src/api/auth.rs", "mac.verify_slice(&shown).is_ok()", true),
        ("src/api/auth.rs", "token.matches(shown) == true", false),
        ("src/secret.rs", "use subtle::ConstantTimeEq;", false),
    ] {
        assert_eq!(compares_a_secret(file, line), seen, "{line}");
    }
}

/// Whether a line compares something secret by other means than `secret::is_same`.
fn compares_a_secret(file: &str, line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let has = |text: &str| code.contains(text);
    let by_other_means = has("subtle::") || has(".ct_eq(") || has(".verify_slice(");
    let in_the_open = has(".expose()") && (has(" == ") || has(" != "));
    file != "src/secret.rs" && (by_other_means || in_the_open)
}
