//! Structures and enumerations of a service as Rust types.

use std::fmt::Write as _;

use anyhow::bail;

use super::heading;
use super::model::{Model, Shape};
use super::names::{field, type_name, variant};

/// Members that the model calls required but that the live service leaves out, each with the reason.
const ABSENT_THOUGH_REQUIRED: [(&str, &str, &str); 2] = [
    ("JobDetail", "startedAt", "a job that has not run yet has none"),
    (
        "DescribeServiceJobResponse",
        "startedAt",
        "a job that has not run yet has none",
    ),
];

/// The text of `shapes.rs`.
pub(super) fn generate(title: &str, model: &Model) -> anyhow::Result<String> {
    let mut output = heading(&format!("Shapes of {title}."));
    output.push_str("use std::collections::BTreeMap;\n\nuse serde::{Deserialize, Serialize};\n\n");
    output.push_str("use crate::open_enum::open_enum;\nuse crate::sensitive::Sensitive;\nuse crate::timestamp::Timestamp;\n\n");
    for name in &model.reachable()? {
        let shape = model.shape(name)?;
        if shape.kind == "structure" {
            structure(&mut output, model, name, shape)?;
        } else if shape.kind == "string" && !shape.values.is_empty() {
            enumeration(&mut output, name, shape)?;
        }
    }
    // Not every service has every kind of member.
    for (import, words) in [
        ("use std::collections::BTreeMap;\n\n", ["BTreeMap<", "BTreeMap<"]),
        (
            "use crate::open_enum::open_enum;\n",
            ["open_enum! ", "open_enum! "],
        ),
        (
            "use crate::sensitive::Sensitive;\n",
            [": Sensitive", "<Sensitive"],
        ),
        (
            "use crate::timestamp::Timestamp;\n",
            [": Timestamp", "<Timestamp"],
        ),
    ] {
        if !words.iter().any(|word| output.contains(word)) {
            output = output.replace(import, "");
        }
    }
    Ok(output)
}

fn structure(output: &mut String, model: &Model, name: &str, shape: &Shape) -> anyhow::Result<()> {
    writeln!(output, "/// `{name}` of the service's model.")?;
    writeln!(
        output,
        "#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]\n#[serde(default)]"
    )?;
    writeln!(output, "pub struct {} {{", type_name(name))?;
    for (member_name, member) in model.members(shape)? {
        let is_required = shape.required.iter().any(|required| required == member_name)
            && !ABSENT_THOUGH_REQUIRED
                .iter()
                .any(|(structure, absent, _)| (*structure, *absent) == (name, member_name));
        let kind = rust_type(model, &member.shape)?;
        let rust_name = field(member_name);
        writeln!(output, "/// `{member_name}`.")?;
        let mut attributes = Vec::new();
        if rust_name.trim_start_matches("r#") != member_name {
            attributes.push(format!("rename = \"{member_name}\""));
        }
        if !is_required {
            attributes.push("skip_serializing_if = \"Option::is_none\"".to_owned());
        }
        if !attributes.is_empty() {
            writeln!(output, "#[serde({})]", attributes.join(", "))?;
        }
        let kind = if is_required {
            kind
        } else {
            format!("Option<{kind}>")
        };
        writeln!(output, "pub {rust_name}: {kind},")?;
    }
    output.push_str("}\n\n");
    Ok(())
}

fn enumeration(output: &mut String, name: &str, shape: &Shape) -> anyhow::Result<()> {
    let mut variants: Vec<String> = shape.values.iter().map(|value| variant(value)).collect();
    variants.sort();
    if variants.windows(2).any(|pair| pair[0] == pair[1]) {
        bail!("two values of {name} have one name in Rust");
    }
    writeln!(
        output,
        "open_enum! {{\n/// `{name}` of the service's model.\npub enum {} {{",
        type_name(name)
    )?;
    for value in &shape.values {
        writeln!(output, "{} = {value:?},", variant(value))?;
    }
    output.push_str("}\n}\n\n");
    Ok(())
}

/// The Rust type of a shape.
pub(super) fn rust_type(model: &Model, name: &str) -> anyhow::Result<String> {
    let shape = model.shape(name)?;
    Ok(match shape.kind.as_str() {
        "structure" => type_name(name),
        "string" if !shape.values.is_empty() => type_name(name),
        "string" if shape.sensitive => "Sensitive".to_owned(),
        "string" => "String".to_owned(),
        "boolean" => "bool".to_owned(),
        "integer" => "i32".to_owned(),
        "long" => "i64".to_owned(),
        "float" | "double" => "f64".to_owned(),
        "timestamp" => "Timestamp".to_owned(),
        "list" => match &shape.member {
            Some(member) => format!("Vec<{}>", rust_type(model, &member.shape)?),
            None => bail!("the list {name} has no member"),
        },
        "map" => match &shape.value {
            Some(value) => format!("BTreeMap<String, {}>", rust_type(model, &value.shape)?),
            None => bail!("the map {name} has no value"),
        },
        other => bail!("the shape {name} has the unknown type {other}"),
    })
}
