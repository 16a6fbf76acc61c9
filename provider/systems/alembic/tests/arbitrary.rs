//! No text makes the reader panic, hang or run out of stack.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::PathBuf};

use ffe_alembic::Scripts;
use proptest::prelude::*;

fn read(text: &str) {
    let scripts = Scripts::from_sources([(PathBuf::from("x.py"), text.to_owned())]);
    for target in ["head", "heads", "+1", "@", "a@b+1", "base-1", "+99999999999999999999", text] {
        let _ = scripts.pending(&[], target);
        let _ = scripts.pending(&[text.to_owned()], target);
    }
    let _ = scripts.problems();
}

fn corpus() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn any_sql(sql in "[a-zA-Z0-9 ;,.(){}'\"$%\\\\\n:-]{0,80}", head in prop::sample::select(vec![
        "DROP TABLE ", "ALTER TABLE a ", "CREATE INDEX ", "ALTER TABLE a ALTER b TYPE ", "DO $$ ", "DELETE FROM ",
    ])) {
        let sql = sql.replace("\"\"\"", "");
        read(&format!("revision = 'a'\ndef upgrade():\n    op.execute(\"\"\"{head}{sql} \"\"\")\n"));
    }

    /// Real files with a piece cut out, doubled or replaced.
    #[test]
    fn damaged_files(which in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), length in 0usize..60,
                     put in "[ -~\n]{0,12}", twice in any::<bool>()) {
        let corpus = corpus();
        let letters: Vec<char> = which.get(&corpus).chars().collect();
        let from = from.index(letters.len());
        let to = (from + length).min(letters.len());
        let mut text: String = letters[..from].iter().collect();
        text.push_str(&put);
        if twice {
            text.extend(&letters[from..to]);
            text.extend(&letters[from..to]);
        }
        text.extend(&letters[to..]);
        read(&text);
    }
}

#[test]
fn depth_and_growth_have_an_end() {
    let deep = 20_000;
    for (open, close) in
        [("(", ")"), ("[", "]"), ("f(", ")"), ("-", ""), ("'a' + ", ""), ("{1:", "}"), ("op.f(", ")"), ("not ", "")]
    {
        let (before, after) = (open.repeat(deep), close.repeat(deep));
        read(&format!("revision = {before}'a'{after}\n"));
        read(&format!("revision = 'a'\ndef upgrade():\n    op.execute({before}'a'{after})\n"));
        read(&format!("revision = {before}"));
    }
    let blocks: String = (0..500).map(|depth| format!("{}if a:\n", " ".repeat(depth))).collect();
    read(&format!("revision = 'a'\ndef upgrade():\n{}", blocks.replace("if a", " if a")));
    read(&format!("revision = 'a'{}", " = a".repeat(deep)));
    let mut doubled = "revision = 'a'\nt = 'DROP TABLE x;'\nl = ['x']\ndef upgrade():\n    pass\n".to_owned();
    for _ in 0..60 {
        doubled.push_str("t = t + t\nl = [l, l]\nm = l + l\nu = f'{t}{t}'\n");
    }
    read(&doubled);
    let loops: String =
        (0..12).map(|depth| format!("{}for a in 'b', 'c', 'd', 'e', 'f':\n", " ".repeat(depth + 1))).collect();
    read(&format!("revision = 'a'\ndef upgrade():\n{loops}{}op.drop_table(a)\n", " ".repeat(20)));
}
