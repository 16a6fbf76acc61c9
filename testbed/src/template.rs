//! Texts with `@NAME@` in them.

use anyhow::{Result, bail};

/// The text with every `@NAME@` replaced.
///
/// # Errors
/// When one of them has no value.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('@') {
        out.push_str(before);
        match after.split_once('@').filter(|(name, _)| is_name(name)) {
            Some((name, behind)) => {
                let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
                    bail!("nothing is known for @{name}@");
                };
                out.push_str(value);
                rest = behind;
            }
            // An at sign of the text's own.
            None => {
                out.push('@');
                rest = after;
            }
        }
    }
    Ok(out + rest)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_replaced_and_other_at_signs_stay() {
        let values = [("NODE_IP", "192.0.2.1"), ("ZONE", "ffe.test")];
        assert_eq!(
            fill("@ IN NS ns.@ZONE@.\nns IN A @NODE_IP@", &values).unwrap(),
            "@ IN NS ns.ffe.test.\nns IN A 192.0.2.1"
        );
        assert_eq!(fill("a@b and @ZONE@@ZONE@", &values).unwrap(), "a@b and ffe.testffe.test");
        assert!(fill("@OTHER@", &values).unwrap_err().to_string().contains("@OTHER@"));
    }
}
