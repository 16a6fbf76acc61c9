//! `.helmignore`, by Helm's own rules (`helm.sh/helm/pkg/ignore`): what Helm does not load does not count.

/// The rules of one chart.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: String,
    negate: bool,
    directories_only: bool,
    /// Matched against the whole path instead of its last part.
    whole_path: bool,
}

impl Rules {
    /// Reads a file's text; Helm's default rule comes last.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for line in text.lines().chain(["templates/.?*"]) {
            rules.add(line.trim())?;
        }
        Ok(rules)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.contains("**") {
            return Err(format!("{line:?}: double-star (**) syntax is not supported"));
        }
        let (negate, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (directories_only, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        let (whole_path, pattern) = match line.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (line.contains('/'), line),
        };
        if matches(pattern, "abc").is_none() {
            return Err(format!("{line:?}: not a valid pattern"));
        }
        self.0.push(Rule { pattern: pattern.to_owned(), negate, directories_only, whole_path });
        Ok(())
    }

    /// Whether Helm would skip this path (relative, with `/`).
    pub(super) fn ignores(&self, path: &str, is_dir: bool) -> bool {
        for rule in &self.0 {
            let subject = if rule.whole_path { path } else { path.rsplit('/').next().unwrap_or(path) };
            let hit = || matches(&rule.pattern, subject).unwrap_or(false);
            if rule.negate {
                // Helm: everything that a negated rule does not match is ignored.
                if (rule.directories_only && !is_dir) || !hit() {
                    return true;
                }
            } else if (!rule.directories_only || is_dir) && hit() {
                return true;
            }
        }
        false
    }
}

/// Go's `filepath.Match`: `*` and `?` stop at `/`, `[a-z]`, `[^a]`, `\` escapes. `None`: no valid pattern.
fn matches(pattern: &str, name: &str) -> Option<bool> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    check(&pattern)?;
    Some(run(&pattern, &name))
}

fn check(pattern: &[char]) -> Option<()> {
    let mut rest = pattern;
    while let Some((first, tail)) = rest.split_first() {
        rest = match first {
            '[' => class(tail, 'x')?.1,
            '\\' => tail.split_first()?.1,
            _ => tail,
        };
    }
    Some(())
}

fn run(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match first {
        '*' => {
            let reach = name.iter().position(|c| *c == '/').unwrap_or(name.len());
            (0..=reach).any(|skip| run(rest, &name[skip..]))
        }
        '?' => name.split_first().is_some_and(|(c, tail)| *c != '/' && run(rest, tail)),
        '[' => name
            .split_first()
            .is_some_and(|(c, tail)| class(rest, *c).is_some_and(|(hit, after)| hit && *c != '/' && run(after, tail))),
        '\\' => match (rest.split_first(), name.split_first()) {
            (Some((wanted, after)), Some((c, tail))) => wanted == c && run(after, tail),
            _ => false,
        },
        wanted => name.split_first().is_some_and(|(c, tail)| c == wanted && run(rest, tail)),
    }
}

/// A character class after its `[`: whether `c` is in it, and what follows it.
fn class(pattern: &[char], c: char) -> Option<(bool, &[char])> {
    let (negated, mut rest) = match pattern.split_first()? {
        ('^', tail) => (true, tail),
        _ => (false, pattern),
    };
    let mut hit = false;
    let mut empty = true;
    loop {
        let (first, tail) = rest.split_first()?;
        if *first == ']' && !empty {
            return Some((hit != negated, tail));
        }
        let (low, tail) = member(rest)?;
        let (high, tail) = match tail.split_first()? {
            ('-', after) => member(after)?,
            _ => (low, tail),
        };
        hit |= low <= c && c <= high;
        empty = false;
        rest = tail;
    }
}

fn member(pattern: &[char]) -> Option<(char, &[char])> {
    match pattern.split_first()? {
        ('-' | ']', _) => None,
        ('\\', tail) => tail.split_first().map(|(c, after)| (*c, after)),
        (c, tail) => Some((*c, tail)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn globs_are_gos() {
        for (pattern, name, hit) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("d/*.txt", "d/a.txt", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a*b*c", "aXbYc", true),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name), Some(hit), "{pattern} {name}");
        }
        for broken in ["[", "[]a]", "[a-]", "a\\"] {
            assert_eq!(matches(broken, "abc"), None, "{broken}");
        }
    }

    #[test]
    fn rules_follow_helm() {
        let rules = Rules::parse("# comment\n\n*.swp\n/top.txt\ndocs/\nci/*.yaml\n").unwrap();
        assert!(rules.ignores("a/b.swp", false));
        assert!(rules.ignores("top.txt", false));
        assert!(!rules.ignores("sub/top.txt", false));
        assert!(rules.ignores("docs", true));
        assert!(rules.ignores("sub/docs", true));
        assert!(!rules.ignores("docs", false));
        assert!(rules.ignores("ci/x.yaml", false));
        assert!(rules.ignores("templates/.hidden", false));
        assert!(!rules.ignores("templates/x.yaml", false));
        assert!(!rules.ignores(".helmignore", false));
    }

    #[test]
    fn a_negated_rule_ignores_the_rest() {
        let rules = Rules::parse("!*.yaml\n").unwrap();
        assert!(rules.ignores("a.txt", false));
        assert!(!rules.ignores("a.yaml", false));
    }

    #[test]
    fn what_helm_refuses_is_refused() {
        assert!(Rules::parse("a/**/b").unwrap_err().contains("double-star"));
        assert!(Rules::parse("[").unwrap_err().contains("not a valid pattern"));
    }
}
