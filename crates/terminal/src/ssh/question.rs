//! What a machine asks before it lets somebody in (RFC 4256), and who answers.

use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};

/// Most rounds of questions, most questions of one round, and the longest text shown of each.
pub(crate) const ROUNDS_MAX: usize = 10;
pub(crate) const PROMPTS_MAX: usize = 16;
const TEXT_CHARS_MAX: usize = 1000;

/// One question. Text is the machine's, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub text: String,
    /// The answer may be seen while it is typed.
    pub echo: bool,
}

/// Questions that need a person.
#[derive(Debug)]
pub struct Question {
    /// A title and an explanation; either may be empty.
    pub name: String,
    pub instructions: String,
    pub prompts: Vec<Prompt>,
    /// One answer a prompt. Dropping it is refusing to answer.
    pub answers: oneshot::Sender<Vec<SecretString>>,
}

/// Takes questions to a person.
pub type Ask = mpsc::Sender<Question>;

/// Remote text that may be shown: no escape sequences, no endless lines.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .filter(|letter| *letter == '\n' || !letter.is_control())
        .take(TEXT_CHARS_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Asks; `None` when there is nobody or they do not want to.
pub(crate) async fn ask(
    to: Option<&Ask>,
    name: &str,
    instructions: &str,
    prompts: Vec<Prompt>,
) -> Option<Vec<SecretString>> {
    let count = prompts.len();
    let (answers, answer) = oneshot::channel();
    let question = Question { name: shown(name), instructions: shown(instructions), prompts, answers };
    to?.send(question).await.ok()?;
    answer.await.ok().filter(|answers| answers.len() == count)
}

/// A prompt that a configured password answers.
pub(crate) fn wants_password(prompt: &Prompt) -> bool {
    let text = prompt.text.to_lowercase();
    !prompt.echo
        && ["password", "passwort", "mot de passe", "contraseña", "senha"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_given_to_those_who_ask_for_one() {
        let prompt = |text: &str, echo| Prompt { text: text.into(), echo };
        assert!(wants_password(&prompt("Password: ", false)));
        assert!(wants_password(&prompt("(me@there) password:", false)));
        assert!(!wants_password(&prompt("Password: ", true)));
        assert!(!wants_password(&prompt("Verification code: ", false)));
        assert!(!wants_password(&prompt("", false)));
    }

    #[test]
    fn remote_text_cannot_paint() {
        assert_eq!(shown(" \u{1b}[2JPass\u{7}word\r\nnow \u{9b}1m"), "[2JPassword\nnow 1m");
        assert_eq!(shown(&"x".repeat(5000)).len(), TEXT_CHARS_MAX);
    }
}
