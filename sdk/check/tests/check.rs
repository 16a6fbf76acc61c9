//! Configurations as people write them, and what is said of them.
#![allow(clippy::unwrap_used)]

mod shelf;

use std::path::Path;

use tfplugin::Engine;
use tfplugin_check::{CheckError, Depth, Report, check};

use shelf::Shelf;

/// A folder with these files, looked at.
fn looked_at(files: &[(&str, &str)]) -> Report {
    let folder = written(files);
    check(&Engine::new(Shelf), folder.path(), Depth::Folder).unwrap()
}

fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// The findings of one file `main.tf`: line, path, suggestion.
fn found(text: &str) -> Vec<(usize, String, Option<String>)> {
    let report = looked_at(&[("main.tf", text)]);
    assert_eq!((&report.unreadable, &report.notes), (&vec![], &vec![]), "{text}");
    report.findings.into_iter().map(|it| (it.line.unwrap(), it.path, it.suggestion)).collect()
}

fn one(line: usize, path: &str, suggestion: &str) -> Vec<(usize, String, Option<String>)> {
    vec![(line, path.to_owned(), (!suggestion.is_empty()).then(|| suggestion.to_owned()))]
}

#[test]
fn what_is_right_is_left_alone() {
    let text = r#"
        terraform {
          required_providers { shelf = { source = "example/shelf" } }
        }
        provider "shelf" { url = "https://example.com" }
        resource "shelf_book" "this" {
          for_each   = toset(["a", "b"])
          name       = each.key
          storage    = { "size" = "1Gi", class = "fast" }
          pools      = [{ name = "a", limits = { cpu = 1 } }, var.pool]
          tags       = { anything = "goes", "x/y" = "z" }
          by_name    = { blue = { count = 1 } }
          extra      = { what = { ever = true } }
          depends_on = [shelf_book.other]
          lifecycle { ignore_changes = [storage] }
        }
        variable "pool" { type = object({ name = string, limits = optional(object({ cpu = number }), {}) }) }
        resource "other_thing" "it" { storage = { size = 1, sise = 2 } }
        locals { free = { sise = 1 } }
    "#;
    assert_eq!(found(text), []);
}

#[test]
fn a_name_in_braces_is_found_however_the_value_is_written() {
    let cases = [
        // As it is, with a quoted key, in parentheses.
        ("storage = { sise = 1 }", "storage.sise", "storage.size"),
        ("storage = { \"sise\" = 1 }", "storage.sise", "storage.size"),
        ("storage = ({ sise = 1 })", "storage.sise", "storage.size"),
        // With one of two values, and with what functions make.
        ("storage = true ? { size = 1 } : { sise = 1 }", "storage.sise", "storage.size"),
        ("storage = merge({ size = 1 }, { sise = 1 })", "storage.sise", "storage.size"),
        ("storage = merge([{ sise = 1 }]...)", "storage.sise", "storage.size"),
        ("storage = try({ sise = 1 }, null)", "storage.sise", "storage.size"),
        // In lists and maps of objects.
        ("pools = [{ name = \"a\" }, { nam = \"b\" }]", "pools[1].nam", "pools[1].name"),
        ("pools = [{ limits = { gpu = 1 } }]", "pools[0].limits.gpu", "pools[0].limits.cpu"),
        ("pools = [for n in [1] : { nam = n }]", "pools[*].nam", "pools[*].name"),
        ("pools = concat([], [{ nam = 1 }])", "pools[0].nam", "pools[0].name"),
        ("pools = flatten([[{ nam = 1 }]])", "pools[0].nam", "pools[0].name"),
        ("by_name = { blue = { cuont = 1 } }", "by_name[\"blue\"].cuont", "by_name[\"blue\"].count"),
        ("by_name = { for n in [1] : n => { cuont = 1 } }", "by_name[*].cuont", "by_name[*].count"),
        // Where it belongs is somewhere else.
        ("storage = { cpu = 1 }", "storage.cpu", "pools.limits.cpu"),
        ("storage = { absolutely_not = 1 }", "storage.absolutely_not", ""),
        // By way of other names.
        ("storage = local.storage", "storage.sise", "storage.size"),
        ("storage = local.deep[\"in\"].storage", "storage.sise", "storage.size"),
        ("pools = [local.pools[0]]", "pools[0].nam", "pools[0].name"),
        ("storage = var.open", "storage.sise", "storage.size"),
        ("storage = var.typed", "storage.sise", "storage.size"),
        ("storage = var.nested.storage", "storage.sise", "storage.size"),
    ];
    for (attribute, path, suggestion) in cases {
        let text = format!(
            r#"resource "shelf_book" "this" {{
                name = "a"
                {attribute}
            }}
            locals {{
                storage = {{ sise = 1 }}
                deep = {{ in = {{ storage = {{ sise = 1 }} }} }}
                pools = [{{ nam = "x" }}]
                circle = local.circle
            }}
            variable "open" {{ default = {{ sise = 1 }} }}
            variable "typed" {{ type = object({{ sise = optional(string) }}) }}
            variable "nested" {{ type = object({{ storage = object({{ sise = string }}) }}) }}
            "#
        );
        let found = found(&text);
        assert_eq!(found.len(), 1, "{attribute}: {found:?}");
        let (line, at, near) = &found[0];
        assert_eq!((at.as_str(), near.as_deref().unwrap_or_default()), (path, suggestion), "{attribute}");
        // Where it is written, and not where it is used; a type has no place but its use.
        let is_elsewhere = attribute.contains("local.") || attribute.contains("var.open");
        assert_eq!(*line == 3, !is_elsewhere, "{attribute}: line {line}");
    }
}

#[test]
fn what_cannot_be_told_is_not_guessed() {
    for attribute in [
        "storage = local.circle",
        "storage = module.other.storage",
        "storage = data.http.it.body",
        "storage = jsondecode(file(\"x.json\"))",
        "storage = { (var.key) = 1 }",
        "storage = zipmap([\"sise\"], [1])",
        "storage = one(var.many[*].storage)",
        "storage = null",
        "pools = var.any",
        "extra = { sise = 1 }",
        "tags = { sise = \"x\" }",
    ] {
        let text = format!(
            "resource \"shelf_book\" \"this\" {{\n  {attribute}\n}}\nlocals {{\n  circle = local.circle\n}}\nvariable \"any\" {{\n  type = any\n}}\n"
        );
        assert_eq!(found(&text), [], "{attribute}");
    }
}

#[test]
fn names_at_the_top_and_of_types_are_found_too() {
    assert_eq!(found("resource \"shelf_book\" \"a\" {\n  nmae = 1\n}"), one(2, "nmae", "name"));
    assert_eq!(found("resource \"shelf_boook\" \"a\" {\n}"), one(1, "", "shelf_book"));
    assert_eq!(found("\ndata \"shelf_card\" \"a\" {\n  nmae = 1\n}"), one(3, "nmae", "name"));
    assert_eq!(found("provider \"shelf\" {\n  retry = { cuont = 3 }\n}"), one(2, "retry.cuont", "retry.count"));
    // An output of the provider cannot be set.
    assert_eq!(found("resource \"shelf_book\" \"a\" {\n  isbn = 1\n}"), one(2, "isbn", ""));
}

#[test]
fn the_message_says_what_terraform_does() {
    let report = looked_at(&[("main.tf", "resource \"shelf_book\" \"a\" {\n  storage = { sise = 1 }\n}\n")]);
    let finding = report.findings[0].to_string();
    assert!(finding.ends_with(
        "main.tf:2:15: shelf_book.a: storage has no attribute \"sise\": Terraform drops it without a word. Did you mean storage.size?"
    ), "{finding}");
    assert!(!report.is_clean());
    let report = looked_at(&[("main.tf", "resource \"shelf_book\" \"a\" {\n  nmae = 1\n}\n")]);
    assert_eq!(report.findings[0].message, "shelf_book has no attribute \"nmae\".");
}

#[test]
fn a_provider_of_another_name_is_this_one_by_its_source() {
    let text = |source: &str| {
        format!(
            "terraform {{\n  required_providers {{\n    books = {{ source = \"{source}\" }}\n  }}\n}}\nprovider \"books\" {{\n  ulr = 1\n}}\n"
        )
    };
    assert_eq!(found(&text("example/shelf")), one(7, "ulr", "url"));
    assert_eq!(found(&text("example/other")), []);
}

#[test]
fn values_of_variables_are_compared_with_their_types() {
    let variables = "variable \"book\" {\n  type = object({ name = string, storage = optional(object({ size = string })) })\n  default = { name = \"a\", stroage = {} }\n}\n";
    let report = looked_at(&[
        ("variables.tf", variables),
        ("terraform.tfvars", "book = { name = \"b\", storage = { sise = 1 } }\n"),
        ("more.auto.tfvars.json", r#"{ "book": { "nmae": "c" }, "unknown": { "x": 1 } }"#),
    ]);
    let mut told: Vec<(&str, Option<usize>, &str)> =
        report.findings.iter().map(|it| (file_name(&it.file), it.line, it.path.as_str())).collect();
    told.sort();
    assert_eq!(
        told,
        [
            ("more.auto.tfvars.json", None, "nmae"),
            ("terraform.tfvars", Some(1), "storage.sise"),
            ("variables.tf", Some(3), "stroage"),
        ]
    );
    assert!(report.findings.iter().all(|it| it.subject == "variable book"), "{report:?}");
}

fn file_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap()
}

#[test]
fn modules_are_followed_and_their_variables_are_names_too() {
    let module = "variable \"book\" {\n  type = object({ storage = optional(object({ size = string })) })\n}\nresource \"shelf_book\" \"in\" {\n  storage = { sise = 1 }\n}\n";
    let main = "module \"a\" {\n  source = \"./modules/a\"\n  book = { storage = { sise = 1 } }\n  bokk = 1\n  count = 2\n}\nmodule \"again\" {\n  source = \"./modules/a\"\n  book = {}\n}\n";
    let report = looked_at(&[("main.tf", main), ("modules/a/main.tf", module)]);
    let told: Vec<(&str, usize, &str, &str)> = report
        .findings
        .iter()
        .map(|it| (it.subject.as_str(), it.line.unwrap(), it.path.as_str(), it.suggestion.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(
        told,
        [
            ("module.a", 3, "book.storage.sise", "book.storage.size"),
            ("module.a", 4, "bokk", "book"),
            ("shelf_book.in", 5, "storage.sise", "storage.size"),
        ]
    );
}

#[test]
fn a_module_that_is_not_here_is_told_and_one_that_was_fetched_is_followed() {
    let main = "module \"far\" {\n  source = \"example/far/shelf\"\n  bokk = 1\n}\n";
    let report = looked_at(&[("main.tf", main)]);
    assert_eq!(report.findings, []);
    assert!(report.notes[0].message.contains("module.far comes from example/far/shelf"), "{report:?}");
    assert!(report.is_clean());

    let manifest =
        r#"{"Modules":[{"Key":"","Source":"","Dir":"."},{"Key":"far","Source":"x","Dir":".terraform/modules/far"}]}"#;
    let report = looked_at(&[
        ("main.tf", main),
        (".terraform/modules/modules.json", manifest),
        (".terraform/modules/far/main.tf", "variable \"book\" {}\n"),
    ]);
    assert_eq!((report.findings.len(), report.notes.len()), (1, 0), "{report:?}");

    // One that should be here and is not: nothing is known of it.
    let report = looked_at(&[("main.tf", "module \"a\" {\n  source = \"./nowhere\"\n}\n")]);
    assert!(!report.is_clean());
    assert!(report.unreadable[0].message.contains("nowhere"), "{report:?}");

    // A module that calls itself is Terraform's to refuse.
    let report = looked_at(&[("main.tf", "module \"a\" {\n  source = \"./\"\n}\n")]);
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{
        "//": "a comment",
        "terraform": { "required_providers": { "shelf": { "source": "example/shelf" } } },
        "variable": { "typed": { "type": "object({ sise = string })" } },
        "locals": [{ "storage": { "sise": 1 } }],
        "resource": { "shelf_book": {
            "one": { "//": "x", "name": "a", "storage": { "sise": 1 }, "lifecycle": { "ignore_changes": ["name"] } },
            "two": [{ "storage": "${local.storage}" }],
            "three": { "storage": "${var.typed}", "name": "${var.x}-y" }
        } }
    }"#;
    let report = looked_at(&[("main.tf.json", text)]);
    let mut subjects: Vec<&str> = report.findings.iter().map(|it| it.subject.as_str()).collect();
    subjects.sort_unstable();
    assert!(subjects.contains(&"shelf_book.one") && subjects.contains(&"shelf_book.three"), "{report:?}");
    assert!(report.findings.iter().all(|it| it.path == "storage.sise" && it.line.is_none()), "{report:?}");
}

#[test]
fn what_cannot_be_read_is_not_nothing() {
    let report = looked_at(&[
        ("broken.tf", "resource \"shelf_book\" {\n  name = = 1\n}\n"),
        ("main.tf", "resource \"shelf_book\" \"a\" {\n  storage = { sise = 1 }\n}\n"),
        ("not-looked-at.tf~", "{{{"),
        ("bad.tfvars.json", "[]"),
    ]);
    assert_eq!((report.findings.len(), report.unreadable.len(), report.files), (1, 2, 3), "{report:?}");
    assert!(report.unreadable.iter().any(|it| it.message.contains("line 2")), "{report:?}");

    let empty = written(&[("readme.md", "nothing")]);
    let refused = check(&Engine::new(Shelf), empty.path(), Depth::Folder).unwrap_err();
    assert!(matches!(refused, CheckError::NoConfiguration(_)), "{refused}");
    let refused = check(&Engine::new(Shelf), &empty.path().join("nowhere"), Depth::Folder).unwrap_err();
    assert!(matches!(refused, CheckError::Unreadable { .. }), "{refused}");
}

#[test]
fn folders_below_are_looked_at_when_asked_for() {
    let wrong = "resource \"shelf_book\" \"a\" {\n  storage = { sise = 1 }\n}\n";
    let folder = written(&[
        ("stacks/one/main.tf", wrong),
        ("stacks/two/main.tf", wrong),
        ("stacks/.terraform/modules/three/main.tf", wrong),
    ]);
    let report = check(&Engine::new(Shelf), folder.path(), Depth::Recursive).unwrap();
    assert_eq!(report.findings.len(), 2, "{report:?}");
    assert!(matches!(check(&Engine::new(Shelf), folder.path(), Depth::Folder), Err(CheckError::NoConfiguration(_))));
}
