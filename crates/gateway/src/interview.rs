//! What a machine asks, asked in the terminal: prompts are shown, lines are read, secrets are not echoed.

use oriel_terminal::{Prompt, Question};
use secrecy::SecretString;
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 1024;

pub(crate) struct Interview {
    prompts: VecDeque<Prompt>,
    line: Vec<u8>,
    given: Vec<SecretString>,
    /// Gone when it is over.
    answers: Option<oneshot::Sender<Vec<SecretString>>>,
}

impl Interview {
    /// And what to show.
    pub fn begin(question: Question) -> (Self, String) {
        let Question { name, instructions, prompts, answers } = question;
        let mut shown = String::new();
        for text in [name, instructions].iter().filter(|text| !text.is_empty()) {
            shown.push_str(&text.replace('\n', "\r\n"));
            shown.push_str("\r\n");
        }
        let mut interview =
            Self { prompts: prompts.into(), line: Vec::new(), given: Vec::new(), answers: Some(answers) };
        shown.push_str(&interview.next());
        (interview, shown)
    }

    pub const fn is_over(&self) -> bool {
        self.answers.is_none()
    }

    /// The next prompt, or the end.
    fn next(&mut self) -> String {
        if let Some(prompt) = self.prompts.front() {
            return format!("{} ", prompt.text.replace('\n', "\r\n"));
        }
        if let Some(answers) = self.answers.take() {
            // The machine may have stopped waiting.
            answers.send(std::mem::take(&mut self.given)).ok();
        }
        String::new()
    }

    /// What the person typed; answers what to show.
    pub fn typed(&mut self, bytes: &[u8]) -> String {
        let mut shown = String::new();
        for byte in bytes {
            let Some(prompt) = self.prompts.front() else { break };
            let echo = prompt.echo;
            match byte {
                b'\r' | b'\n' => {
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                    self.given.push(line.into());
                    self.prompts.pop_front();
                    shown.push_str("\r\n");
                    shown.push_str(&self.next());
                }
                // Control-C: nobody answers.
                3 => {
                    self.answers = None;
                    self.prompts.clear();
                    shown.push_str("^C\r\n");
                }
                8 | 127 => {
                    // A whole character goes.
                    while self.line.pop().is_some_and(|last| last & 0xc0 == 0x80) {}
                    if echo {
                        shown.push_str("\x08 \x08");
                    }
                }
                // Control-U: the line from the start.
                21 => self.line.clear(),
                // The rest of a key's sequence.
                27 => break,
                0..=31 => {}
                _ if self.line.len() < ANSWER_BYTES_MAX => {
                    self.line.push(*byte);
                    if echo {
                        shown.push(if byte.is_ascii() { char::from(*byte) } else { '·' });
                    }
                }
                _ => {}
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn begin(prompts: &[(&str, bool)]) -> (Interview, String, oneshot::Receiver<Vec<SecretString>>) {
        let (answers, answer) = oneshot::channel();
        let prompts = prompts.iter().map(|(text, echo)| Prompt { text: (*text).to_owned(), echo: *echo }).collect();
        let question = Question { name: "Two things".into(), instructions: String::new(), prompts, answers };
        let (interview, shown) = Interview::begin(question);
        (interview, shown, answer)
    }

    #[test]
    fn secrets_are_not_shown() {
        let (mut interview, shown, mut answer) = begin(&[("Password:", false), ("Code:", true)]);
        assert_eq!(shown, "Two things\r\nPassword: ");
        assert_eq!(interview.typed("sé\x7fcretX\x7f\r".as_bytes()), "\r\nCode: ");
        assert_eq!(interview.typed(b"12\x1b[A"), "12");
        assert_eq!(interview.typed(b"3\r"), "3\r\n");
        assert!(interview.is_over());
        let given: Vec<String> = answer.try_recv().unwrap().iter().map(|a| a.expose_secret().to_owned()).collect();
        assert_eq!(given, ["scret", "123"]);
        assert_eq!(interview.typed(b"more"), "");
    }

    #[test]
    fn control_c_refuses() {
        let (mut interview, _, mut answer) = begin(&[("Password:", false)]);
        interview.typed(b"se\x03cret\r");
        assert!(interview.is_over() && answer.try_recv().is_err());
    }

    #[test]
    fn answers_are_bounded() {
        let (mut interview, _, _answer) = begin(&[("Password:", false)]);
        interview.typed(&vec![b'x'; 1 << 20]);
        assert_eq!(interview.line.len(), ANSWER_BYTES_MAX);
    }
}
