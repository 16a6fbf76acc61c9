//! Values as MessagePack, driven by their type (plugin protocol 6, `DynamicValue.msgpack`).

use rmp::Marker;
use rmp::decode::{self, Bytes, RmpRead};
use rmp::encode;

use crate::codec::{CodecError, MAX_DEPTH, object_from};
use crate::{Number, NumberForm, Step, Type, Value};

/// The bytes of a value of that type.
///
/// # Errors
/// When the value is not of the type.
pub fn to_msgpack(value: &Value, ty: &Type) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    write(&mut out, value, ty)?;
    Ok(out)
}

/// The value of that type in the bytes.
///
/// # Errors
/// When the bytes are not MessagePack, hold something of another type, or go on after the value.
pub fn from_msgpack(bytes: &[u8], ty: &Type) -> Result<Value, CodecError> {
    let mut input = Bytes::new(bytes);
    let value = read(&mut input, ty, 0)?;
    if input.remaining_slice().is_empty() { Ok(value) } else { Err(CodecError::new("bytes after the value")) }
}

fn write(out: &mut Vec<u8>, value: &Value, ty: &Type) -> Result<(), CodecError> {
    let wire = |_| CodecError::new("a length beyond the wire's limits");
    let length = |len: usize| u32::try_from(len).map_err(wire);
    match (value, ty) {
        (Value::Null, _) => out.push(Marker::Null.to_u8()),
        (Value::Unknown, _) => out.extend_from_slice(&[0xd4, 0x00, 0x00]),
        (Value::Dynamic(actual, value), Type::Dynamic) => {
            out.push(Marker::FixArray(2).to_u8());
            let description = actual.to_json_bytes();
            encode::write_bin(out, &description).map_err(|_| CodecError::new("type description"))?;
            write(out, value, actual)?;
        }
        (Value::Bool(truth), Type::Bool) => out.push(if *truth { Marker::True.to_u8() } else { Marker::False.to_u8() }),
        (Value::Number(number), Type::Number) => write_number(out, number)?,
        (Value::String(text), Type::String) => encode::write_str(out, text).map_err(|_| CodecError::new("text"))?,
        (Value::List(elements), Type::List(element)) | (Value::Set(elements), Type::Set(element)) => {
            encode::write_array_len(out, length(elements.len())?).map_err(|_| CodecError::new("list"))?;
            for (index, value) in elements.iter().enumerate() {
                write(out, value, element).map_err(|error| error.below(Step::Index(index as i64)))?;
            }
        }
        (Value::List(elements), Type::Tuple(types)) if elements.len() == types.len() => {
            encode::write_array_len(out, length(elements.len())?).map_err(|_| CodecError::new("tuple"))?;
            for (index, (value, ty)) in elements.iter().zip(types).enumerate() {
                write(out, value, ty).map_err(|error| error.below(Step::Index(index as i64)))?;
            }
        }
        (Value::Map(entries), Type::Map(element)) => {
            encode::write_map_len(out, length(entries.len())?).map_err(|_| CodecError::new("map"))?;
            for (key, value) in entries {
                encode::write_str(out, key).map_err(|_| CodecError::new("map key"))?;
                write(out, value, element).map_err(|error| error.below(Step::Key(key.clone())))?;
            }
        }
        (Value::Map(entries), Type::Object(attributes)) => {
            if let Some(extra) = entries.keys().find(|name| !attributes.contains_key(*name)) {
                return Err(CodecError::new(format!("no attribute is named {extra}")));
            }
            encode::write_map_len(out, length(attributes.len())?).map_err(|_| CodecError::new("object"))?;
            for (name, ty) in attributes {
                encode::write_str(out, name).map_err(|_| CodecError::new("attribute name"))?;
                write(out, entries.get(name).unwrap_or(&Value::Null), ty)
                    .map_err(|error| error.below(Step::Attribute(name.clone())))?;
            }
        }
        (value, ty) => return Err(CodecError::mismatch(value, ty)),
    }
    Ok(())
}

fn write_number(out: &mut Vec<u8>, number: &Number) -> Result<(), CodecError> {
    let failed = |_| CodecError::new("number");
    match number.form() {
        NumberForm::Int(int) => encode::write_sint(out, int).map(|_| ()).map_err(failed),
        NumberForm::Uint(uint) => encode::write_uint(out, uint).map(|_| ()).map_err(failed),
        NumberForm::Float(float) => encode::write_f64(out, float).map_err(failed),
        NumberForm::Decimal(digits) => encode::write_str(out, digits).map_err(failed),
    }
}

fn read(input: &mut Bytes<'_>, ty: &Type, depth: usize) -> Result<Value, CodecError> {
    if depth > MAX_DEPTH {
        return Err(CodecError::too_deep());
    }
    let marker = peek(input)?;
    match marker {
        Marker::Null => {
            input.read_u8().map_err(|_| CodecError::truncated())?;
            return Ok(Value::Null);
        }
        Marker::FixExt1
        | Marker::FixExt2
        | Marker::FixExt4
        | Marker::FixExt8
        | Marker::FixExt16
        | Marker::Ext8
        | Marker::Ext16
        | Marker::Ext32 => {
            // Every extension is an unknown; code 12 carries refinements, which may be ignored.
            let meta = decode::read_ext_meta(input).map_err(|_| CodecError::truncated())?;
            take(input, meta.size as usize)?;
            return Ok(Value::Unknown);
        }
        _ => {}
    }
    let expected = || CodecError::new(format!("expected {ty}, found {marker:?}"));
    match ty {
        Type::Dynamic => {
            if decode::read_array_len(input).map_err(|_| expected())? != 2 {
                return Err(expected());
            }
            let description = read_bytes(input).ok_or_else(expected)?;
            let json = serde_json::from_slice(description)
                .map_err(|_| CodecError::new("a dynamic value's type is not JSON"))?;
            let actual = Type::from_json(&json).map_err(|error| CodecError::new(error.to_string()))?;
            let value = read(input, &actual, depth + 1)?;
            Ok(Value::Dynamic(Box::new(actual), Box::new(value)))
        }
        Type::Bool => decode::read_bool(input).map(Value::Bool).map_err(|_| expected()),
        Type::Number => read_number(input, marker).map(Value::Number).ok_or_else(expected),
        Type::String => read_text(input).map(|text| Value::String(text.to_owned())).ok_or_else(expected),
        Type::List(element) => read_elements(input, element, depth).map(Value::List),
        Type::Set(element) => read_elements(input, element, depth).map(Value::set),
        Type::Tuple(types) => {
            let count = decode::read_array_len(input).map_err(|_| expected())?;
            if count as usize != types.len() {
                return Err(expected());
            }
            let mut elements = Vec::with_capacity(types.len());
            for (index, ty) in types.iter().enumerate() {
                elements.push(read(input, ty, depth + 1).map_err(|error| error.below(Step::Index(index as i64)))?);
            }
            Ok(Value::List(elements))
        }
        Type::Map(element) => {
            let count = decode::read_map_len(input).map_err(|_| expected())?;
            let mut entries = std::collections::BTreeMap::new();
            for _ in 0..count {
                let key = read_text(input).ok_or_else(|| CodecError::new("a map key is not text"))?.to_owned();
                let value = read(input, element, depth + 1).map_err(|error| error.below(Step::Key(key.clone())))?;
                entries.insert(key, value);
            }
            Ok(Value::Map(entries))
        }
        Type::Object(attributes) => {
            let count = decode::read_map_len(input).map_err(|_| expected())?;
            let mut entries = Vec::new();
            for _ in 0..count {
                let name = read_text(input).ok_or_else(|| CodecError::new("an attribute name is not text"))?.to_owned();
                let ty =
                    attributes.get(&name).ok_or_else(|| CodecError::new(format!("no attribute is named {name}")))?;
                let value = read(input, ty, depth + 1).map_err(|error| error.below(Step::Attribute(name.clone())))?;
                entries.push((name, value));
            }
            Ok(object_from(attributes, entries))
        }
    }
}

fn read_elements(input: &mut Bytes<'_>, element: &Type, depth: usize) -> Result<Vec<Value>, CodecError> {
    let count = decode::read_array_len(input).map_err(|_| CodecError::new("expected a list"))?;
    // The count is the sender's word: memory is taken as elements really arrive.
    let mut elements = Vec::new();
    for index in 0..count {
        elements.push(read(input, element, depth + 1).map_err(|error| error.below(Step::Index(i64::from(index))))?);
    }
    Ok(elements)
}

fn read_number(input: &mut Bytes<'_>, marker: Marker) -> Option<Number> {
    match marker {
        Marker::F32 => decode::read_f32(input).ok().and_then(|float| Number::from_f64(f64::from(float))),
        Marker::F64 => decode::read_f64(input).ok().and_then(Number::from_f64),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => read_text(input).and_then(Number::parse),
        Marker::U64 => decode::read_u64(input).ok().map(Number::from),
        _ => decode::read_int::<i64, _>(input).ok().map(Number::from),
    }
}

fn peek(input: &Bytes<'_>) -> Result<Marker, CodecError> {
    input.remaining_slice().first().map(|byte| Marker::from_u8(*byte)).ok_or_else(CodecError::truncated)
}

fn take<'a>(input: &mut Bytes<'a>, size: usize) -> Result<&'a [u8], CodecError> {
    let rest = input.remaining_slice();
    let taken = rest.get(..size).ok_or_else(CodecError::truncated)?;
    *input = Bytes::new(&rest[size..]);
    Ok(taken)
}

fn read_text<'a>(input: &mut Bytes<'a>) -> Option<&'a str> {
    let size = decode::read_str_len(input).ok()?;
    std::str::from_utf8(take(input, size as usize).ok()?).ok()
}

fn read_bytes<'a>(input: &mut Bytes<'a>) -> Option<&'a [u8]> {
    match peek(input).ok()? {
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
            let size = decode::read_bin_len(input).ok()?;
            take(input, size as usize).ok()
        }
        _ => read_text(input).map(str::as_bytes),
    }
}
