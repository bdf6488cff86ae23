//! The shapes once more as tables, for checks that a derived deserialiser cannot make.

use std::fmt::Write as _;

use anyhow::bail;

use super::heading;
use super::model::{Model, Shape};
use super::names::static_name;

/// The text of `schema.rs`.
pub(super) fn generate(title: &str, model: &Model) -> anyhow::Result<String> {
    let mut output = heading(&format!("Constraints of the shapes of {title}."));
    let mut body = String::new();
    for name in &model.reachable()? {
        let shape = model.shape(name)?;
        writeln!(
            body,
            "pub(crate) static {}: Shape = {};\n",
            static_name(name),
            expression(model, name, shape)?
        )?;
    }
    let mut imports = vec!["Shape"];
    for candidate in ["Location", "Member", "Pattern"] {
        if body.contains(&format!("{candidate}:")) || body.contains(&format!("{candidate} {{")) {
            imports.push(candidate);
        }
    }
    imports.sort_unstable();
    writeln!(output, "use crate::shape::{{{}}};\n", imports.join(", "))?;
    output.push_str(&body);
    Ok(output)
}

fn expression(model: &Model, name: &str, shape: &Shape) -> anyhow::Result<String> {
    Ok(match shape.kind.as_str() {
        "structure" => {
            let mut members = String::new();
            for (member_name, member) in model.members(shape)? {
                let location = match member.location.as_deref() {
                    None => "Body",
                    Some("uri") => "Uri",
                    Some("querystring") => "Query",
                    Some(other) => bail!("{name}.{member_name} lies in the unknown place {other}"),
                };
                if member
                    .location_name
                    .as_deref()
                    .is_some_and(|wire| wire != member_name)
                {
                    bail!("{name}.{member_name} has another name on the wire");
                }
                write!(
                    members,
                    "Member {{ name: {member_name:?}, shape: &{}, is_required: {}, location: Location::{location} }},",
                    static_name(&member.shape),
                    shape.required.iter().any(|required| required == member_name),
                )?;
            }
            format!("Shape::Structure {{ members: &[{members}] }}")
        }
        "list" => {
            let Some(member) = &shape.member else {
                bail!("the list {name} has no member")
            };
            model.shape(&member.shape)?;
            format!(
                "Shape::List {{ member: &{}, min: {}, max: {} }}",
                static_name(&member.shape),
                shape.min.unwrap_or(0),
                bound(shape.max)
            )
        }
        "map" => {
            let (Some(key), Some(value)) = (&shape.key, &shape.value) else {
                bail!("the map {name} has no key or value")
            };
            format!(
                "Shape::Map {{ key: &{}, value: &{}, min: {}, max: {} }}",
                static_name(&key.shape),
                static_name(&value.shape),
                shape.min.unwrap_or(0),
                bound(shape.max)
            )
        }
        "string" => {
            let pattern = match &shape.pattern {
                Some(pattern) => format!("Some(Pattern::new(r#\"{}\"#, {pattern:?}))", rust_regex(pattern)),
                None => "None".to_owned(),
            };
            format!(
                "Shape::String {{ min: {}, max: {}, pattern: {pattern}, values: &{:?} }}",
                shape.min.unwrap_or(0),
                bound(shape.max),
                shape.values
            )
        }
        "integer" | "long" => {
            let (low, high) = if shape.kind == "integer" {
                (i64::from(i32::MIN), i64::from(i32::MAX))
            } else {
                (i64::MIN, i64::MAX)
            };
            let low = if low == i64::MIN {
                "i64::MIN".to_owned()
            } else {
                low.to_string()
            };
            let high = if high == i64::MAX {
                "i64::MAX".to_owned()
            } else {
                high.to_string()
            };
            format!(
                "Shape::Integer {{ min: {}, max: {}, low: {low}, high: {high} }}",
                shape.min.map_or_else(|| low.clone(), |min| min.to_string()),
                shape.max.map_or_else(|| high.clone(), |max| max.to_string()),
            )
        }
        "float" | "double" => "Shape::Float".to_owned(),
        "boolean" => "Shape::Boolean".to_owned(),
        "timestamp" => "Shape::Timestamp".to_owned(),
        other => bail!("the shape {name} has the unknown type {other}"),
    })
}

fn bound(max: Option<i64>) -> String {
    max.map_or_else(|| "usize::MAX".to_owned(), |max| max.to_string())
}

/// The models' patterns are Java's: `\w` and `\d` mean ASCII there, and code points are `\uXXXX`.
fn rust_regex(pattern: &str) -> String {
    // The models mean all supplementary characters, which Java would want as a surrogate pair.
    let pattern = pattern.replace(r"\u10000-\u10FFFF", r"\x{10000}-\x{10FFFF}");
    let mut result = String::new();
    let mut is_in_class = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            match character {
                '[' => is_in_class = true,
                ']' => is_in_class = false,
                _ => {}
            }
            result.push(character);
            continue;
        }
        let class = match characters.next() {
            Some('w') => "0-9A-Za-z_",
            Some('d') => "0-9",
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                result.push_str(&format!(r"\x{{{digits}}}"));
                continue;
            }
            Some(other) => {
                result.push('\\');
                result.push(other);
                continue;
            }
            None => break,
        };
        result.push_str(&if is_in_class {
            class.to_owned()
        } else {
            format!("[{class}]")
        });
    }
    result
}
