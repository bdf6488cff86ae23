//! `batchyard env`: what a shell needs to know to call the server.

use std::path::PathBuf;

use batchyard_server::access::Access;

/// Prints `export` lines for `eval`.
pub(crate) fn print(data: Option<PathBuf>) -> anyhow::Result<()> {
    for line in export_lines(&Access::of_folder(data)?) {
        println!("{line}");
    }
    Ok(())
}

/// The lines that make the AWS CLI and SDKs call the server.
pub(crate) fn export_lines(access: &Access) -> Vec<String> {
    let Access {
        endpoint,
        region,
        credentials,
    } = access;
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose()),
    ];
    let exports = variables
        .iter()
        .map(|(name, value)| format!("export {name}='{value}'"));
    // A token of another account's session would be sent along with our key, and refused.
    exports
        .chain(["unset AWS_SESSION_TOKEN AWS_PROFILE".to_owned()])
        .collect()
}
