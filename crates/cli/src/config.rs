//! Where the server's configuration comes from: defaults, then a TOML file, then `BATCHYARD_*` variables, then flags.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use batchyard_server::config::Config;
use clap::Args;
use toml::{Table, Value};

/// Prefix of the variables that set keys.
const PREFIX: &str = "BATCHYARD_";

/// Variables with the prefix that are not keys of the file.
const NOT_KEYS: [&str; 3] = ["BATCHYARD_DATA", "BATCHYARD_CONFIG", "BATCHYARD_LOG"];

/// Sections of the file: `BATCHYARD_DOCKER_HOST` is `host` in `[docker]`.
const SECTIONS: [&str; 6] = ["host", "docker", "events", "limits", "secrets", "s3"];

/// Which file to read.
#[derive(Args, Debug, Clone)]
pub(crate) struct ConfigArguments {
    /// Configuration file [default: $XDG_CONFIG_HOME/batchyard/config.toml, if it exists]
    #[arg(long, env = "BATCHYARD_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigArguments {
    /// The configuration on top of `defaults`.
    pub(crate) fn load(&self, defaults: &Config) -> anyhow::Result<Config> {
        let mut table = Table::try_from(defaults).expect("a configuration can be written as TOML");
        if let Some(file) = self.file()? {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("failed to read the configuration {}", file.display()))?;
            let keys: Table = text
                .parse()
                .with_context(|| format!("failed to understand the configuration {}", file.display()))?;
            merge(&mut table, keys);
            // Checked here, so that the message names the file.
            read(&table).with_context(|| format!("failed to use the configuration {}", file.display()))?;
        }
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with(PREFIX) && !NOT_KEYS.contains(&name.as_str())).then_some((name, value))
        });
        for (name, value) in variables {
            let value = value
                .into_string()
                .ok()
                .with_context(|| format!("{name} is not UTF-8"))?;
            merge(&mut table, of_variable(&name, &value)?);
        }
        let config = read(&table)?;
        config.check()?;
        Ok(config)
    }

    fn file(&self) -> anyhow::Result<Option<PathBuf>> {
        if let Some(file) = &self.config {
            return Ok(Some(file.clone()));
        }
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
        let Some(file) = folder.map(|folder| folder.join("batchyard/config.toml")) else {
            return Ok(None);
        };
        let exists = file
            .try_exists()
            .with_context(|| format!("failed to look for the configuration {}", file.display()))?;
        Ok(exists.then_some(file))
    }
}

/// Prints the configuration that a server would use.
pub(crate) fn print(arguments: &ConfigArguments) -> anyhow::Result<()> {
    let config = arguments.load(&Config::default())?;
    print!("{}", toml::to_string_pretty(&config)?);
    Ok(())
}

/// The folder with the data: what is given, else the default one.
pub(crate) fn data_path(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    match given {
        Some(path) => Ok(path.to_owned()),
        None => Ok(batchyard_server::data_folder::DataFolder::default_path()?),
    }
}

fn read(table: &Table) -> anyhow::Result<Config> {
    Ok(Value::Table(table.clone()).try_into()?)
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(values)) => merge(inner, values),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The key that a variable sets. Its value is taken as text where the key is one, so that an account of digits stays text.
fn of_variable(name: &str, value: &str) -> anyhow::Result<Table> {
    let key = name[PREFIX.len()..].to_ascii_lowercase();
    let nested = |value: Value| {
        let section = SECTIONS
            .iter()
            .find_map(|section| Some((section, key.strip_prefix(section)?.strip_prefix('_')?)));
        let mut table = Table::new();
        match section {
            Some((section, rest)) => {
                let mut inner = Table::new();
                inner.insert(rest.to_owned(), value);
                table.insert((*section).to_owned(), Value::Table(inner));
            }
            None => {
                table.insert(key.clone(), value);
            }
        }
        table
    };
    let as_text = nested(Value::String(value.to_owned()));
    let text_error = match read(&as_text) {
        Ok(_) => return Ok(as_text),
        Err(error) => error,
    };
    let parsed = format!("value = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"));
    if let Some(parsed) = parsed {
        let table = nested(parsed);
        if read(&table).is_ok() {
            return Ok(table);
        }
    }
    bail!("{name}: {}", text_error.to_string().trim())
}

#[cfg(test)]
mod tests {
    use super::{Table, Value, merge, of_variable, read};

    fn check(name: &str, value: &str, expected: expect_test::Expect) {
        let shown = match of_variable(name, value) {
            Ok(table) => table.to_string(),
            Err(error) => format!("error: {error}"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn variables_set_keys_in_the_keys_own_types() {
        check(
            "BATCHYARD_ACCOUNT_ID",
            "123456789012",
            expect_test::expect![[r#"
            account_id = "123456789012"
        "#]],
        );
        check(
            "BATCHYARD_ALLOW_PROCESSES",
            "true",
            expect_test::expect![[r#"
            allow_processes = true
        "#]],
        );
        check(
            "BATCHYARD_HOST_VCPUS",
            "64",
            expect_test::expect![[r#"
            [host]
            vcpus = 64
        "#]],
        );
        check(
            "BATCHYARD_DOCKER_HOST",
            "unix:///x",
            expect_test::expect![[r#"
            [docker]
            host = "unix:///x"
        "#]],
        );
    }

    #[test]
    fn what_is_not_a_key_or_not_its_type_is_named() {
        let error = of_variable("BATCHYARD_LISTENN", "x").unwrap_err().to_string();
        assert!(
            error.starts_with("BATCHYARD_LISTENN: unknown field `listenn`"),
            "{error}"
        );
        let error = of_variable("BATCHYARD_LISTEN", "here").unwrap_err().to_string();
        assert!(
            error.starts_with("BATCHYARD_LISTEN: invalid socket address"),
            "{error}"
        );
        let error = of_variable("BATCHYARD_HOST_GPUS", "many")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("BATCHYARD_HOST_GPUS: invalid type"), "{error}");
    }

    #[test]
    fn later_sources_win_key_by_key() {
        let mut table: Table = "[docker]\nhost = \"a\"\nnetwork = \"b\"".parse().unwrap();
        merge(&mut table, "[docker]\nhost = \"c\"".parse().unwrap());
        assert_eq!(table["docker"]["host"], Value::from("c"));
        assert_eq!(table["docker"]["network"], Value::from("b"));
        assert!(read(&table).is_ok());
    }
}
