//! The guide's support table is the one that the code has.

#![allow(clippy::unwrap_used)]

#[test]
fn the_guide_has_the_support_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/guides/tls.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let (begin, end) = ("<!-- begin: support -->\n", "<!-- end: support -->");
    let (head, rest) = guide.split_once(begin).unwrap();
    let (table, tail) = rest.split_once(end).unwrap();
    let wanted = format!("\n{}\n", ffe_routing::support_markdown());
    if std::env::var_os("FFE_WRITE_DOCS").is_some() {
        std::fs::write(path, format!("{head}{begin}{wanted}{end}{tail}")).unwrap();
    } else {
        assert_eq!(table, wanted, "write it with: FFE_WRITE_DOCS=1 cargo test -p ffe-routing --test guide");
    }
}
