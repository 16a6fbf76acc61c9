//! `provider::ffe::merge_values(documents)`: values documents merged as Helm merges several `--values` files.

use ffe_helm::values::{Origin, merge_documents};
use tfplugin::{Function, FunctionError, Parameter, Signature, Type, Value};

/// The function `merge_values`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MergeValuesFunction;

impl Function for MergeValuesFunction {
    fn signature(&self) -> Signature {
        Signature {
            name: "merge_values".into(),
            parameters: vec![Parameter {
                name: "documents".into(),
                ty: Type::List(Box::new(Type::String)),
                description: "Values, each a YAML document; later ones win.".into(),
                allow_null: false,
                allow_unknown: false,
            }],
            variadic: None,
            returns: Type::String,
            summary: "Merges values documents as Helm does.".into(),
            description: "Merges values documents as Helm merges several `--values` files: maps deeply, everything else replaced, \
                          YAML read as Helm reads it. The result is one document (JSON, which is YAML) for `values` of `ffe_release`, \
                          or for `yamldecode`."
                .into(),
            deprecated: None,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let refused = |text: String| FunctionError::argument(0, text);
        let Some(Value::List(items)) = arguments.first() else {
            return Err(refused("expected a list of YAML documents".to_owned()));
        };
        let documents: Vec<&str> = items
            .iter()
            .enumerate()
            .map(|(index, item)| item.as_str().ok_or_else(|| refused(format!("documents[{index}] is null"))))
            .collect::<Result<_, _>>()?;
        let merged = merge_documents(&documents).map_err(|error| match error.origin {
            Origin::Values(index) => refused(format!("documents[{index}]: {}", error.problem)),
            _ => refused(error.to_string()),
        })?;
        let document = merged.to_document().map_err(|error| refused(error.problem.to_string()))?;
        Ok(Value::from(document.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn call(documents: &[&str]) -> Result<Value, FunctionError> {
        MergeValuesFunction.call(vec![Value::List(documents.iter().copied().map(Value::from).collect())])
    }

    #[test]
    fn documents_are_merged_as_helm_does() {
        let merged =
            call(&["image: {tag: \"1\", name: web}\nlist: [1, 2]\non: yes", "image: {tag: \"2\"}\nlist: [3]", ""])
                .unwrap();
        let json: serde_json::Value = serde_json::from_str(merged.as_str().unwrap()).unwrap();
        assert_eq!(json, serde_json::json!({"image": {"tag": "2", "name": "web"}, "list": [3], "true": true}));
        assert_eq!(call(&[]).unwrap().as_str(), Some("{}"));
    }

    #[test]
    fn the_document_at_fault_is_named() {
        for (documents, text) in
            [(["a: 1", "a: ["], "documents[1]: not valid YAML"), (["- 1", "a: 1"], "documents[0]: expected a map")]
        {
            let error = call(&documents).unwrap_err();
            assert_eq!(error.argument, Some(0));
            assert!(error.text.starts_with(text), "{error}");
        }
        let null = MergeValuesFunction.call(vec![Value::List(vec![Value::Null])]).unwrap_err();
        assert_eq!(null.text, "documents[0] is null");
    }
}
