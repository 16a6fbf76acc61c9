//! Helm's `--set` grammar: a port of `helm.sh/helm/pkg/strvals` (the same in majors 3 and 4), with its quirks, since a
//! path that means something else here than in Helm would be a trap. Two things differ on purpose: where Go panics and
//! recovers ("interface conversion: …") the error says what stands there instead, and errors know whether they come
//! from the name or from the value, so that a secret value is never quoted.

mod error;

use serde_json::{Map, Value};

pub use error::{Kind, StrvalsError};

/// The largest list index (Helm's `MaxIndex`).
pub const MAX_INDEX: usize = 65536;
/// The most dots in a path (Helm's `MaxNestedNameLevel`).
pub const MAX_NESTED_NAME_LEVEL: usize = 30;

/// How values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `--set`: booleans, null and whole numbers are recognised.
    Typed,
    /// `--set-string`: everything is text.
    Text,
    /// `--set-json`: values are JSON.
    Json,
    /// `--set-literal`: the rest of the line, with no escapes at all.
    Literal,
}

/// Sets `line` (`path=value`, several by comma except in literal mode) in `data`.
///
/// # Errors
/// What Helm refuses. `data` may be half changed then.
pub fn parse_into(line: &str, mode: Mode, data: &mut Map<String, Value>) -> Result<(), StrvalsError> {
    let mut parser = Parser { text: line.chars().collect(), at: 0, mode };
    loop {
        match parser.key(data, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Error(e)) => return Err(e),
        }
    }
}

/// Why a step ended: Go's `io.EOF` is an ordinary end here too.
enum Stop {
    End,
    Error(StrvalsError),
}

struct Parser {
    text: Vec<char>,
    at: usize,
    mode: Mode,
}

type Step<T> = Result<T, Stop>;

impl Parser {
    fn fail<T>(&self, at: usize, kind: Kind) -> Step<T> {
        Err(Stop::Error(StrvalsError { kind, at }))
    }

    fn read(&mut self) -> Option<char> {
        let c = self.text.get(self.at).copied();
        self.at += usize::from(c.is_some());
        c
    }

    /// Text up to one of `stop`, which is consumed; `None` at the end. A backslash takes the next character as it is.
    fn until(&mut self, stop: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(c) = self.read() {
            if stop.contains(&c) {
                return (text, Some(c));
            }
            if c == '\\' && self.mode != Mode::Literal {
                match self.read() {
                    Some(next) => text.push(next),
                    None => return (text, None),
                }
            } else {
                text.push(c);
            }
        }
        (text, None)
    }

    fn key(&mut self, data: &mut Map<String, Value>, level: usize) -> Step<()> {
        let stop: &[char] = if self.mode == Mode::Literal { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let start = self.at;
        let (key, last) = self.until(stop);
        match last {
            None if key.is_empty() => Err(Stop::End),
            None => self.fail(start, Kind::NoValue { key, ended_by_comma: false }),
            Some('[') => self.indexed(data, key, start, level),
            Some('=') => self.assigned(data, key),
            Some('.') => self.nested(data, key, start, level + 1),
            Some(_) => self.fail(start, Kind::NoValue { key, ended_by_comma: true }),
        }
    }

    fn indexed(&mut self, data: &mut Map<String, Value>, key: String, start: usize, level: usize) -> Step<()> {
        let index = self.index()?;
        let mut list = match data.get_mut(&key) {
            None => Vec::new(),
            Some(Value::Array(list)) => std::mem::take(list),
            Some(other) => {
                let found = kind_of(other);
                return self.fail(start, Kind::NotA { wanted: "list", key, found });
            }
        };
        let done = self.item(&mut list, index, level);
        put_back(data, key, Value::Array(list));
        done
    }

    fn nested(&mut self, data: &mut Map<String, Value>, key: String, start: usize, level: usize) -> Step<()> {
        if level > MAX_NESTED_NAME_LEVEL {
            return self.fail(start, Kind::TooDeep);
        }
        let mut inner = match data.get_mut(&key) {
            None => Map::new(),
            Some(Value::Object(map)) => std::mem::take(map),
            Some(other) => {
                let found = kind_of(other);
                return self.fail(start, Kind::NotA { wanted: "map", key, found });
            }
        };
        let done = self.key(&mut inner, level);
        if inner.is_empty() {
            if done.is_ok() {
                return self.fail(start, Kind::EmptyMap { key });
            }
        } else {
            put_back(data, key, Value::Object(inner));
        }
        done
    }

    fn assigned(&mut self, data: &mut Map<String, Value>, key: String) -> Step<()> {
        match self.value() {
            Ok(value) => {
                set(data, key, value);
                Ok(())
            }
            Err(Stop::End) => {
                set(data, key, Value::String(String::new()));
                Err(Stop::End)
            }
            error => error.map(drop),
        }
    }

    /// The value after `=`. [`Stop::End`] means: nothing was there.
    fn value(&mut self) -> Step<Value> {
        match self.mode {
            Mode::Literal => {
                let rest = self.text[self.at..].iter().collect();
                self.at = self.text.len();
                Ok(Value::String(rest))
            }
            Mode::Json => self.json(),
            Mode::Typed | Mode::Text => match self.text.get(self.at) {
                None => Err(Stop::End),
                Some('{') => {
                    self.at += 1;
                    self.list()
                }
                Some(_) => {
                    let (text, _) = self.until(&[',']);
                    Ok(self.typed(text))
                }
            },
        }
    }

    fn list(&mut self) -> Step<Value> {
        let start = self.at;
        let mut items = Vec::new();
        loop {
            let (text, last) = self.until(&[',', '}']);
            match last {
                None => return self.fail(start, Kind::OpenList),
                Some('}') => {
                    items.push(self.typed(text));
                    if self.text.get(self.at) == Some(&',') {
                        self.at += 1;
                    }
                    return Ok(Value::Array(items));
                }
                Some(_) => items.push(self.typed(text)),
            }
        }
    }

    fn json(&mut self) -> Step<Value> {
        if self.blank_value() {
            return Ok(Value::Null);
        }
        let start = self.at;
        let rest: String = self.text[self.at..].iter().collect();
        let mut stream = serde_json::Deserializer::from_str(&rest).into_iter::<Value>();
        let value = match stream.next() {
            Some(Ok(value)) => value,
            _ => return self.fail(start, Kind::Json),
        };
        self.at += rest[..stream.byte_offset()].chars().count();
        self.blank_value();
        Ok(value)
    }

    /// Skips blanks and one comma; true when nothing else came before the comma or the end.
    fn blank_value(&mut self) -> bool {
        loop {
            match self.text.get(self.at) {
                None => return true,
                Some(',') => {
                    self.at += 1;
                    return true;
                }
                Some(c) if c.is_whitespace() => self.at += 1,
                Some(_) => return false,
            }
        }
    }

    fn typed(&self, text: String) -> Value {
        if self.mode != Mode::Typed {
            return Value::String(text);
        }
        if text.eq_ignore_ascii_case("true") {
            return Value::Bool(true);
        }
        if text.eq_ignore_ascii_case("false") {
            return Value::Bool(false);
        }
        if text.eq_ignore_ascii_case("null") {
            return Value::Null;
        }
        // A leading zero means text, except for zero itself.
        if (text == "0" || !text.starts_with('0'))
            && let Ok(int) = text.parse::<i64>()
        {
            return Value::from(int);
        }
        Value::String(text)
    }

    fn index(&mut self) -> Step<i64> {
        let start = self.at;
        let (text, last) = self.until(&[']']);
        match (last, text.parse()) {
            (Some(_), Ok(index)) => Ok(index),
            _ => self.fail(start, Kind::BadIndex { text, closed: last.is_some() }),
        }
    }

    fn item(&mut self, list: &mut Vec<Value>, index: i64, level: usize) -> Step<()> {
        let start = self.at;
        let Ok(i) = usize::try_from(index) else {
            return self.fail(start, Kind::NegativeIndex(index));
        };
        let (extra, last) = self.until(&['[', '.', '=']);
        if !extra.is_empty() {
            return self.fail(start, Kind::AfterIndex { text: extra });
        }
        match last {
            None => Err(Stop::End),
            Some('=') => match self.value() {
                Ok(value) => self.set_index(list, i, start, value),
                Err(Stop::End) => self.set_index(list, i, start, Value::String(String::new())),
                error => error.map(drop),
            },
            Some('[') => {
                let next = self.index()?;
                let existing = match list.get_mut(i) {
                    None | Some(Value::Null) => None,
                    Some(Value::Array(inner)) => Some(std::mem::take(inner)),
                    Some(other) => {
                        let found = kind_of(other);
                        return self.fail(start, Kind::NotA { wanted: "list", key: format!("[{i}]"), found });
                    }
                };
                let was_there = existing.is_some();
                let mut inner = existing.unwrap_or_default();
                let done = self.item(&mut inner, next, level);
                if was_there {
                    list[i] = Value::Array(inner);
                    return done;
                }
                done?;
                self.set_index(list, i, start, Value::Array(inner))
            }
            Some(_) => {
                // What is there and no map gives way to one ("indices out of order").
                let existing = list.get_mut(i).map(|there| match there {
                    Value::Object(map) => std::mem::take(map),
                    _ => Map::new(),
                });
                let was_there = existing.is_some();
                let mut inner = existing.unwrap_or_default();
                let done = self.key(&mut inner, level);
                if was_there {
                    list[i] = Value::Object(inner);
                    return done;
                }
                done?;
                self.set_index(list, i, start, Value::Object(inner))
            }
        }
    }

    fn set_index(&self, list: &mut Vec<Value>, index: usize, at: usize, value: Value) -> Step<()> {
        if index > MAX_INDEX {
            return self.fail(at, Kind::IndexTooLarge(index));
        }
        if list.len() <= index {
            list.resize(index + 1, Value::Null);
        }
        list[index] = value;
        Ok(())
    }
}

/// An empty key is not set, as in Helm.
fn set(data: &mut Map<String, Value>, key: String, value: Value) {
    if !key.is_empty() {
        data.insert(key, value);
    }
}

/// Puts back what was taken out to be changed; where nothing was, it is set.
fn put_back(data: &mut Map<String, Value>, key: String, value: Value) {
    match data.get_mut(&key) {
        Some(slot) => *slot = value,
        None => set(data, key, value),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
