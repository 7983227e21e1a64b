//! What docs/limits.md says about the bounds is what the code has: names, values, tests, and none is missing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that are there for their bounds: every public constant of theirs is on the page.
const WHOLE: [&str; 12] = [
    "rtmp::limits",
    "media::timeline::limits",
    "relay::limits",
    "net::permits",
    "net::permits::addresses",
    "net::rate",
    "api::server::limits",
    "control::limits",
    "notify::limits",
    "flv::limits",
    "mp4::limits",
    "ingest::inputs::limits",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One line of one of the page's tables.
struct Row {
    /// What stands in it, cell by cell; the bounds are the second.
    cells: Vec<String>,
    /// The modules of its bounds.
    modules: Vec<String>,
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let lines = page.lines().filter(|line| line.starts_with("| "));
    let cells = lines.map(|line| {
        let inner = line.trim_matches('|').split(" | ");
        inner.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    });
    let of_table = cells.filter(|cells| !["case", "what"].contains(&cells[0].as_str()));
    let rows: Vec<_> = of_table
        .map(|cells| {
            assert!(cells.len() >= 4, "a row of fewer cells: {cells:?}");
            let modules = quoted(&cells[2]).map(str::to_owned).collect();
            Row { cells, modules }
        })
        .collect();
    assert!(rows.len() > 40, "{} rows", rows.len());
    rows
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The bounds that a cell names, each with what follows its name.
fn bounds(cell: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = cell.split('`').collect();
    let pairs = parts.windows(2).skip(1).step_by(2);
    pairs
        .filter(|pair| {
            pair[0]
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        })
        .map(|pair| (pair[0], pair[1].trim_start()))
        .collect()
}

/// A constant's value. Durations are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Number(u128),
    Millis(u128),
}

/// The value that a text begins with: a number and, where there is one, its unit.
fn written(text: &str) -> Value {
    let mut words = text.split([' ', ',', ';', '|', ')']);
    let number: u128 = words.next().unwrap().parse().expect(text);
    match words.next().unwrap_or_default() {
        "KiB" => Value::Number(number << 10),
        "MiB" => Value::Number(number << 20),
        "Mbit/s" => Value::Number(number * 1_000_000),
        "ms" => Value::Millis(number),
        "s" => Value::Millis(number * 1000),
        _ => Value::Number(number),
    }
}

/// Whether a value on the page is that of the constant. A plain number of milliseconds, or of seconds, says so in its name.
fn agree(name: &str, on_page: Value, in_code: Value) -> bool {
    match (on_page, in_code) {
        (Value::Millis(page), Value::Number(code)) if name.ends_with("_MS") => page == code,
        (Value::Millis(page), Value::Number(code)) if name.ends_with("_SECONDS") => {
            page == code * 1000
        }
        _ => on_page == in_code,
    }
}

/// The file of a module.
fn file(module: &str) -> PathBuf {
    let path = root().join("src").join(module.replace("::", "/"));
    let plain = path.with_extension("rs");
    if plain.exists() {
        plain
    } else {
        path.join("mod.rs")
    }
}

/// The constants of a module: name, whether it is public, and its expression.
fn constants(module: &str) -> BTreeMap<String, (bool, String)> {
    let source = fs::read_to_string(file(module)).expect(module);
    let code: Vec<&str> = source
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .take_while(|line| *line != "mod tests {")
        .collect();
    let statements = code.join(" ");
    let mut found = BTreeMap::new();
    for statement in statements.split(';') {
        let Some((before, declared)) = statement.rsplit_once("const ") else {
            continue;
        };
        let Some((typed, expression)) = declared.split_once('=') else {
            continue;
        };
        let name = typed.split(':').next().unwrap().trim().to_owned();
        let public = before.trim_end().ends_with("pub");
        found.insert(name, (public, expression.trim().to_owned()));
    }
    found
}

/// Works a constant's expression out: numbers, products, durations, and names of the same module.
fn evaluate(expression: &str, known: &BTreeMap<String, (bool, String)>) -> Option<Value> {
    let expression = expression.trim();
    for (call, in_millis) in [
        ("Duration::from_secs(", 1000),
        ("Duration::from_millis(", 1),
    ] {
        if let Some(rest) = expression.strip_prefix(call) {
            let Value::Number(count) = evaluate(rest.strip_suffix(')')?, known)? else {
                return None;
            };
            return Some(Value::Millis(count * in_millis));
        }
    }
    if let Some((left, right)) = expression.rsplit_once('*') {
        let (Value::Number(left), Value::Number(right)) =
            (evaluate(left, known)?, evaluate(right, known)?)
        else {
            return None;
        };
        return Some(Value::Number(left * right));
    }
    if let Some((_, expression)) = known.get(expression) {
        return evaluate(expression, known);
    }
    let digits = expression.replace('_', "");
    match digits.strip_prefix("0x") {
        Some(hex) => u128::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
    .map(Value::Number)
}

#[test]
fn every_bound_on_the_page_has_that_value_in_the_code() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for row in rows() {
        for (name, after) in bounds(&row.cells[1]) {
            checked += 1;
            let on_page = written(after);
            let found = row.modules.iter().find_map(|module| {
                let known = constants(module);
                let (_, expression) = known.get(name)?;
                Some(evaluate(expression, &known).unwrap_or_else(|| panic!("{module}::{name}")))
            });
            match found {
                None => wrong.push(format!("{name} is not in {:?}", row.modules)),
                Some(in_code) if !agree(name, on_page, in_code) => {
                    wrong.push(format!(
                        "{name}: {on_page:?} on the page, {in_code:?} in the code"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "docs/limits.md:\n{}", wrong.join("\n"));
    assert!(checked > 80, "{checked} bounds");
}

#[test]
fn every_bound_of_the_limits_modules_is_on_the_page() {
    let rows = rows();
    let mut missing = Vec::new();
    for module in WHOLE {
        let on_page: BTreeSet<&str> = rows
            .iter()
            .filter(|row| row.modules.iter().any(|named| named == module))
            .flat_map(|row| bounds(&row.cells[1]))
            .map(|(name, _)| name)
            .collect();
        let constants = constants(module);
        assert!(constants.values().any(|(public, _)| *public), "{module}");
        for (name, (public, _)) in constants {
            if public && !on_page.contains(name.as_str()) {
                missing.push(format!("{module}::{name}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "not in docs/limits.md, with this module in its row:\n{}",
        missing.join("\n")
    );
}

/// The files in which a test of this path may stand: `a::b::name` is in tests/a/b.rs or its main.rs, or in src/a/b.rs and its tests.
fn homes(path: &[&str]) -> Vec<PathBuf> {
    let inside = path.join("/");
    [
        format!("tests/{inside}.rs"),
        format!("tests/{inside}/main.rs"),
        format!("src/{inside}.rs"),
        format!("src/{inside}/mod.rs"),
        format!("src/{inside}/tests.rs"),
    ]
    .iter()
    .map(|file| root().join(file))
    .collect()
}

#[test]
fn every_row_names_tests_that_there_are() {
    let mut gone = Vec::new();
    for row in rows() {
        let tests: Vec<_> = quoted(row.cells.last().unwrap()).collect();
        if tests.is_empty() {
            gone.push(format!("no test for: {}", row.cells[0]));
        }
        for test in tests {
            let mut path: Vec<&str> = test.split("::").collect();
            let name = path.pop().unwrap();
            let declared = format!("fn {name}(");
            let stands =
                |file: PathBuf| fs::read_to_string(file).is_ok_and(|text| text.contains(&declared));
            if !homes(&path).into_iter().any(stands) {
                gone.push(test.to_owned());
            }
        }
    }
    assert!(gone.is_empty(), "docs/limits.md:\n{}", gone.join("\n"));
}

#[test]
fn every_module_on_the_page_is_there() {
    for row in rows() {
        for module in &row.modules {
            assert!(file(module).exists(), "{module}, of: {}", row.cells[0]);
        }
    }
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let known = BTreeMap::from([
        ("KIB".to_owned(), (false, "1024".to_owned())),
        ("SIZE".to_owned(), (true, "64 * KIB".to_owned())),
        (
            "WAIT".to_owned(),
            (true, "Duration::from_secs(5)".to_owned()),
        ),
    ]);
    let of = |name: &str| evaluate(&known[name].1, &known).unwrap();
    for (name, text, right) in [
        ("SIZE", "64 KiB of text", true),
        ("SIZE", "65536 bytes", true),
        ("SIZE", "64 bytes", false),
        ("SIZE", "64 MiB", false),
        ("WAIT", "5 s in all", true),
        ("WAIT", "5000 ms", true),
        ("WAIT", "5 levels", false),
        ("WAIT", "6 s", false),
    ] {
        assert_eq!(agree(name, written(text), of(name)), right, "{name} {text}");
    }
    assert!(agree("X_MS", written("7 ms"), Value::Number(7)));
    assert!(!agree("X_MS", written("7 s"), Value::Number(7)));
    assert_eq!(
        bounds("up to `SIZE` 64 KiB, not `rtmp::limits` or `WAIT` 5 s"),
        [("SIZE", "64 KiB, not "), ("WAIT", "5 s")]
    );
}
