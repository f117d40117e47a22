//! Output compared with files in `tests/golden`.

use std::{fs, path::Path};

/// Compares `actual` with the file `tests/golden/<case>`, for example
/// `golden("plan/two-regions.txt", &run.stdout)`. `LKROUTE_GOLDEN=refresh`
/// writes the file instead. Mask what changes from run to run beforehand.
///
/// # Panics
/// With a diff where they differ, or where there is no such file.
#[track_caller]
pub fn golden(case: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(case);
    same_file(&path, &format!("tests/golden/{case}"), actual);
}

/// Compares `actual` with a file, which messages call `shown`.
#[track_caller]
pub fn same_file(path: &Path, shown: &str, actual: &str) {
    if std::env::var_os("LKROUTE_GOLDEN").is_some_and(|value| value == "refresh") {
        fs::create_dir_all(path.parent().expect("inside tests/golden")).expect("make it");
        fs::write(path, actual).expect("write a golden file");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected != actual {
        let diff = difference(shown, &expected, actual);
        panic!("{diff}\nIf this is right: LKROUTE_GOLDEN=refresh tests/run");
    }
}

fn difference(shown: &str, expected: &str, actual: &str) -> String {
    similar::TextDiff::from_lines(expected, actual)
        .unified_diff()
        .context_radius(3)
        .header(shown, "this run")
        .to_string()
}

#[test]
fn a_difference_is_readable() {
    let diff = difference("a.txt", "same\nold\n", "same\nnew\n");
    assert_eq!(
        diff,
        "--- a.txt\n+++ this run\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n"
    );
}

#[test]
#[should_panic(expected = "LKROUTE_GOLDEN=refresh")]
fn a_missing_golden_file_fails() {
    if std::env::var_os("LKROUTE_GOLDEN").is_some() {
        panic!("not while LKROUTE_GOLDEN=refresh writes them");
    }
    golden("no/such/case.txt", "text\n");
}
