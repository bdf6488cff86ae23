//! Operations of a service: their table, the trait that serves them, the dispatch, the calls of clients, the errors.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, bail, ensure};

use super::model::{Model, Operation};
use super::names::{snake, static_name, type_name};
use super::{File, heading, schema, shapes};

/// All files of one service.
pub(super) fn generate(
    name: &str,
    model: &Model,
    not_served: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<File>> {
    for operation in not_served.keys() {
        ensure!(
            model.operations.contains_key(operation),
            "{name} has no operation {operation}"
        );
    }
    let title = &model.metadata.service_full_name;
    let file = |file_name: &str, text: String| File {
        path: format!("crates/wire/src/generated/{name}/{file_name}").into(),
        text,
    };
    let module = format!(
        "{}pub mod errors;\nmod operations;\nmod schema;\nmod shapes;\n\npub use operations::{{Api, Operation, SERVICE, dispatch}};\npub use shapes::*;\n",
        heading(&format!("{title}: shapes, operations and errors."))
    );
    Ok(vec![
        file("mod.rs", module),
        file("shapes.rs", shapes::generate(title, model)?),
        file("schema.rs", schema::generate(title, model)?),
        file("operations.rs", operations(title, model, not_served)?),
        file("errors.rs", errors(title, model)?),
    ])
}

fn operations(title: &str, model: &Model, not_served: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let mut output = heading(&format!("Operations of {title}."));
    output.push_str(
        "use std::future::Future;\n\nuse super::{schema, shapes};\nuse crate::check::Violation;\nuse crate::fault::Fault;\n\
         use crate::operation::{CALLOperationFacts};\nuse crate::protocol::{Answer, Protocol, RawRequest};\nuse crate::service::ServiceFacts;\n\n",
    );
    let call = if model.metadata.protocol == "query" {
        ""
    } else {
        "Call, "
    };
    let mut output = output.replace("CALL", call);
    service_facts(&mut output, title, model)?;
    operation_enum(&mut output, title, model, not_served)?;
    api(&mut output, title, model, not_served)?;
    // Our own commands call these services only; a client for the query protocol would have to read XML.
    let called = model
        .operations
        .values()
        .filter(|_| model.metadata.protocol != "query");
    for operation in called {
        let Operation {
            name,
            input,
            output: answer,
            ..
        } = operation;
        let result = answer.as_ref().map_or("()".to_owned(), |answer| {
            format!("shapes::{}", type_name(&answer.shape))
        });
        writeln!(
            output,
            "impl Call for shapes::{} {{ type Output = {result}; fn service() -> &'static ServiceFacts {{ &SERVICE }} \
             fn operation() -> &'static OperationFacts {{ Operation::{name}.facts() }} }}\n",
            type_name(&input.shape)
        )?;
    }
    Ok(output)
}

fn service_facts(output: &mut String, title: &str, model: &Model) -> anyhow::Result<()> {
    let metadata = &model.metadata;
    let protocol = match metadata.protocol.as_str() {
        "rest-json" => "Protocol::RestJson".to_owned(),
        "json" => format!(
            "Protocol::Json {{ target_prefix: {:?} }}",
            metadata
                .target_prefix
                .as_ref()
                .context("a json service has a target prefix")?
        ),
        "query" => format!(
            "Protocol::Query {{ namespace: {:?}, version: {:?} }}",
            metadata
                .xml_namespace
                .as_ref()
                .context("a query service has a namespace")?,
            metadata.api_version
        ),
        other => bail!("{title} speaks the unknown protocol {other}"),
    };
    writeln!(
        output,
        "/// Facts of {title}.\npub static SERVICE: ServiceFacts = ServiceFacts {{ signing_name: {:?}, protocol: {protocol}, operations: &OPERATIONS }};\n",
        metadata.endpoint_prefix
    )?;
    Ok(())
}

fn operation_enum(
    output: &mut String,
    title: &str,
    model: &Model,
    not_served: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    writeln!(
        output,
        "/// The operations of {title}.\n#[derive(Debug, Clone, Copy, PartialEq, Eq)]\npub enum Operation {{"
    )?;
    for name in model.operations.keys() {
        writeln!(output, "/// `{name}`.\n{name},")?;
    }
    output.push_str("}\n\nimpl Operation {\n/// All operations in order of their names.\npub const ALL: &[Operation] = &[");
    for name in model.operations.keys() {
        write!(output, "Operation::{name},")?;
    }
    output.push_str(
        "];\n\n/// What the model says of it.\n#[must_use]\npub fn facts(self) -> &'static OperationFacts { &OPERATIONS[self as usize] }\n\n\
         /// Which operation a request is for.\n///\n/// # Errors\n/// The fault for an unknown operation.\n\
         pub fn route(request: &RawRequest<'_>) -> Result<Operation, Fault> { SERVICE.route(request).map(|position| Operation::ALL[position]) }\n}\n\n",
    );
    writeln!(
        output,
        "static OPERATIONS: [OperationFacts; {}] = [",
        model.operations.len()
    )?;
    for operation in model.operations.values() {
        let answer = match &operation.output {
            Some(answer) => format!("Some(&schema::{})", static_name(&answer.shape)),
            None => "None".to_owned(),
        };
        let wrapper = operation
            .output
            .as_ref()
            .and_then(|answer| answer.result_wrapper.as_deref())
            .unwrap_or("");
        writeln!(
            output,
            "OperationFacts {{ name: {:?}, method: {:?}, uri: {:?}, input: &schema::{}, output: {answer}, result_wrapper: {wrapper:?}, not_served: {:?} }},",
            operation.name,
            operation.http.method,
            operation.http.request_uri,
            static_name(&operation.input.shape),
            not_served.get(&operation.name),
        )?;
    }
    output.push_str("];\n\n");
    Ok(())
}

fn api(
    output: &mut String,
    title: &str,
    model: &Model,
    not_served: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let served = || {
        model
            .operations
            .values()
            .filter(|operation| !not_served.contains_key(&operation.name))
    };
    writeln!(
        output,
        "/// Serves {title}: one method for each operation that is served, none with a default, so that a missing one does not compile.\n\
         pub trait Api: Sync {{\n/// What an operation is told beside its input: who calls, with which request.\ntype Context: Sync;\n\n\
         /// Judges an input that breaks constraints of the model (values of enumerations, bounds, patterns): `None` lets it\n\
         /// through to the operation, which then has words of its own for it.\n\
         fn refuse(&self, operation: Operation, violations: &[Violation]) -> Option<Fault>;\n"
    )?;
    for operation in served() {
        let result = operation.output.as_ref().map_or("()".to_owned(), |answer| {
            format!("shapes::{}", type_name(&answer.shape))
        });
        writeln!(
            output,
            "/// `{}`.\nfn {}(&self, context: &Self::Context, input: shapes::{}) -> impl Future<Output = Result<{result}, Fault>> + Send;\n",
            operation.name,
            snake(&operation.name),
            type_name(&operation.input.shape),
        )?;
    }
    output.push_str("}\n\n");
    output.push_str(
        "/// Parses and checks a request, lets `api` serve it and encodes the answer.\n///\n/// # Errors\n\
         /// The fault of the operation, or one that says what is wrong with the request.\n\
         pub async fn dispatch<A: Api>(api: &A, context: &A::Context, operation: Operation, request: &RawRequest<'_>) -> Result<Answer, Fault> {\n\
         let facts = operation.facts();\nlet refuse = |violations: &[Violation]| api.refuse(operation, violations);\nmatch operation {\n",
    );
    for operation in served() {
        writeln!(
            output,
            "Operation::{} => {{ let input = SERVICE.input(facts, request, refuse)?; SERVICE.answer(facts, request, &api.{}(context, input).await?) }}",
            operation.name,
            snake(&operation.name),
        )?;
    }
    for operation in model
        .operations
        .values()
        .filter(|operation| not_served.contains_key(&operation.name))
    {
        writeln!(
            output,
            "Operation::{} => SERVICE.not_served::<shapes::{}>(facts, request, refuse),",
            operation.name,
            type_name(&operation.input.shape)
        )?;
    }
    output.push_str("}\n}\n\n");
    Ok(())
}

fn errors(title: &str, model: &Model) -> anyhow::Result<String> {
    let mut output = heading(&format!("Modelled errors of {title}."));
    output.push_str("use crate::fault::Fault;\n\n");
    for (name, shape) in &model.shapes {
        if !shape.exception {
            continue;
        }
        let code = shape
            .error
            .as_ref()
            .and_then(|error| error.code.as_deref())
            .unwrap_or(name);
        let default_status = if shape.fault { 500 } else { 400 };
        let status = shape
            .error
            .as_ref()
            .and_then(|error| error.http_status_code)
            .unwrap_or(default_status);
        writeln!(
            output,
            "/// `{code}`, HTTP status {status}.\npub fn {}(message: impl Into<String>) -> Fault {{ Fault::new({status}, {code:?}, message) }}\n",
            snake(name)
        )?;
    }
    Ok(output)
}
