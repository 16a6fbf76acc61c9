//! Models by hand: this crate tests what the derive is built on, so it does without.

/// A struct of attributes, with `Field` and `Model`.
macro_rules! model {
    ($name:ident, version $version:literal, { $($field:ident: $ty:ty, $mode:ident $(, $set:ident = $to:expr)*;)* }) => {
        #[derive(Clone, Debug, Default)]
        pub(super) struct $name {
            $(pub(super) $field: $ty,)*
        }

        impl ::tfplugin_core::Field for $name {
            fn shape() -> ::tfplugin_core::Shape {
                let attributes = <$name as ::tfplugin_core::Model>::attributes();
                ::tfplugin_core::Shape::Nested(::tfplugin_core::Nesting::Single, attributes)
            }

            fn from_value(
                value: &::tfplugin_core::Value,
                path: &::tfplugin_core::Path,
            ) -> Result<$name, ::tfplugin_core::Diagnostic> {
                if value.as_map().is_none() {
                    return Err(::tfplugin_core::unfit(value, path, "an object"));
                }
                Ok($name {
                    $($field: ::tfplugin_core::Field::from_value(
                        value.attribute(stringify!($field)),
                        &path.child(stringify!($field)),
                    )?,)*
                })
            }

            fn to_value(&self) -> ::tfplugin_core::Value {
                ::tfplugin_core::Value::map([
                    $((stringify!($field), ::tfplugin_core::Field::to_value(&self.$field)),)*
                ])
            }
        }

        impl ::tfplugin_core::Model for $name {
            fn attributes() -> Vec<::tfplugin_core::Attribute> {
                vec![$({
                    #[allow(unused_mut)]
                    let mut attribute = ::tfplugin_core::Attribute::new(
                        stringify!($field),
                        <$ty as ::tfplugin_core::Field>::shape(),
                        ::tfplugin_core::Mode::$mode,
                    );
                    attribute.description = stringify!($field).into();
                    $(attribute.$set = $to;)*
                    attribute
                }),*]
            }

            fn schema() -> ::tfplugin_core::Schema {
                ::tfplugin_core::Schema {
                    version: $version,
                    attributes: <$name as ::tfplugin_core::Model>::attributes(),
                    ..Default::default()
                }
            }
        }
    };
}

pub(super) use model;
