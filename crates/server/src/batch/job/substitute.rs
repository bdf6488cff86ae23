//! `Ref::name` in commands (section E.2).

use std::collections::BTreeMap;

use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;

use super::work::Work;

const MARK: &str = "Ref::";

/// The work with the placeholders of its commands replaced.
///
/// # Errors
/// For a placeholder without a parameter, in the live service's words (section A4.5).
pub(super) fn substitute(mut work: Work, parameters: &BTreeMap<String, String>) -> Result<Work, Fault> {
    let words: Vec<&mut String> = match &mut work {
        Work::Container(container) => container.command.iter_mut().flatten().collect(),
        Work::Task { task: _, containers } => {
            let commands = containers.iter_mut().map(|container| &mut container.command);
            commands.flatten().flatten().collect()
        }
        Work::Pod(pod) => {
            let init = pod.init_containers.iter_mut().flatten();
            let containers = init.chain(pod.containers.iter_mut().flatten());
            let words =
                containers.flat_map(|container| container.command.iter_mut().chain(&mut container.args));
            words.flatten().collect()
        }
    };
    in_words(words, parameters)?;
    Ok(work)
}

fn in_words<'a>(
    words: impl IntoIterator<Item = &'a mut String>,
    parameters: &BTreeMap<String, String>,
) -> Result<(), Fault> {
    for word in words {
        if word.contains(MARK) {
            *word = replaced(word, parameters)?;
        }
    }
    Ok(())
}

/// Placeholders may stand anywhere in a word. The longest parameter name that fits is meant, so that one name may begin
/// with another (section E2.3); values are not looked at again.
fn replaced(word: &str, parameters: &BTreeMap<String, String>) -> Result<String, Fault> {
    let mut result = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once(MARK) {
        result.push_str(before);
        let fitting = parameters
            .iter()
            .filter(|(name, _)| !name.is_empty() && after.starts_with(name.as_str()));
        let Some((name, value)) = fitting.max_by_key(|(name, _)| name.len()) else {
            let is_of_name = |character: char| character.is_alphanumeric() || "_-.".contains(character);
            let name: String = after
                .chars()
                .take_while(|character| is_of_name(*character))
                .collect();
            return Err(client_exception(format!(
                "Unable to substitute value. No parameter found for reference {name}"
            )));
        };
        result.push_str(value);
        rest = &after[name.len()..];
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::replaced;

    fn check(word: &str, expected: &str) {
        let parameters = [("in", "a.fq"), ("inputs", "b.fq"), ("loop", "Ref::in")];
        let parameters = parameters
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let got = replaced(word, &parameters).unwrap_or_else(|fault| fault.message);
        assert_eq!(got, expected, "{word}");
    }

    #[test]
    fn placeholders_are_replaced_wherever_they_stand() {
        check("Ref::in", "a.fq");
        check("--file=Ref::inputs", "--file=b.fq");
        check("cat Ref::in Ref::inputs>x", "cat a.fq b.fq>x");
        check("Ref::loop", "Ref::in");
        check("plain", "plain");
        check(
            "Ref::other-name/x",
            "Unable to substitute value. No parameter found for reference other-name",
        );
    }
}
