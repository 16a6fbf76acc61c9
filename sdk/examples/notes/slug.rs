//! A function: `provider::notes::slug("Shopping list")`.

use tfplugin::{Function, FunctionError, Parameter, Signature, Type, Value};

/// Makes a name out of a title.
pub struct Slug;

impl Function for Slug {
    fn signature(&self) -> Signature {
        Signature {
            name: "slug".into(),
            parameters: vec![Parameter {
                name: "title".into(),
                ty: Type::String,
                description: "Any text with at least one letter or digit.".into(),
                allow_null: false,
                allow_unknown: false,
            }],
            variadic: None,
            returns: Type::String,
            summary: "A title as a name.".into(),
            description: "Lower-case letters and digits, with a hyphen for everything between.".into(),
            deprecated: None,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let title = arguments.first().and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let words: Vec<&str> = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Err(FunctionError::argument(0, "expected a text with at least one letter or digit"));
        }
        Ok(words.join("-").into())
    }
}
