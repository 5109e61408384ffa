//! A session that is one program (RemoteApp): what its window is called, and when the session ends because of it.

use oriel_screen::wire::ServerRecord;
use oriel_screen::{PROGRAM_CLOSED, PROGRAM_NOT_RUN, Source, SourceError};
use std::time::Duration;
use tokio::time::Instant;

/// A program whose last window was closed is over, unless another one opens within this: between two of them some show none.
const CLOSED_AFTER: Duration = Duration::from_secs(15);
/// A machine must have run the program within this: it signs somebody in before.
const RUNS_WITHIN: Duration = Duration::from_mins(2);

/// What is known of it; nothing where the session is a desktop.
#[derive(Default)]
pub(crate) struct Program {
    /// The title that everybody was told.
    title: Option<String>,
    closed_at: Option<Instant>,
    /// Whether it runs, and whether its last window is closed, as last looked at.
    state: Option<(bool, bool)>,
}

impl Program {
    /// Looks at it. Answers what everybody is to be told of it, where that is news.
    pub fn follow(&mut self, source: &dyn Source) -> Option<ServerRecord> {
        let windows = source.windows()?;
        let patience = match (windows.runs, windows.closed) {
            (false, _) => Some(RUNS_WITHIN),
            (true, true) => Some(CLOSED_AFTER),
            (true, false) => None,
        };
        // Its time begins when it is news.
        let state = (windows.runs, windows.closed);
        if self.state.replace(state) != Some(state) {
            self.closed_at = patience.map(|patience| Instant::now() + patience);
        }
        if self.title.as_deref().unwrap_or_default() == windows.title {
            return None;
        }
        self.title = Some(windows.title.to_owned());
        self.title()
    }

    /// Its title, for who is new.
    pub fn title(&self) -> Option<ServerRecord> {
        self.title.clone().map(ServerRecord::Title)
    }

    /// When the session ends because it is not run, or has no window any more, unless that changes.
    pub const fn closed_at(&self) -> Option<Instant> {
        self.closed_at
    }

    /// How the session ends then.
    pub fn ending(source: &dyn Source) -> SourceError {
        let ran = source.windows().is_some_and(|windows| windows.runs);
        SourceError::Refused(if ran { PROGRAM_CLOSED } else { PROGRAM_NOT_RUN }.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_screen::{Framebuffer, InputEvent, ScreenEvent, Surface, Windows};

    /// The title of its window, none when it was closed, and whether it runs. None of it where the session is a desktop.
    type Window = Option<(Option<&'static str>, bool)>;

    struct Machine(Surface, Window);

    impl Source for Machine {
        fn receive(&mut self, _: &[u8], _: &mut Vec<u8>, _: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
            Ok(())
        }

        fn input(&mut self, _: &InputEvent, _: &mut Vec<u8>) -> Result<(), SourceError> {
            Ok(())
        }

        fn windows(&self) -> Option<Windows<'_>> {
            self.1.map(|(title, runs)| Windows { title: title.unwrap_or_default(), runs, closed: title.is_none() })
        }

        fn framebuffer(&self) -> &dyn Framebuffer {
            &self.0
        }
    }

    fn look(program: &mut Program, window: Window) -> Option<ServerRecord> {
        program.follow(&Machine(Surface::new(8, 8).unwrap(), window))
    }

    #[tokio::test]
    async fn a_program_gives_the_title_and_ends_after_its_last_window() {
        let mut program = Program::default();
        let title = |title: &str| Some(ServerRecord::Title(title.to_owned()));
        assert_eq!(look(&mut program, None), None);
        assert_eq!((program.title(), program.closed_at()), (None, None), "a desktop has no title of its own");
        // One that is not run ends too, and not sooner for what it shows.
        assert_eq!(look(&mut program, Some((Some(""), false))), None);
        assert!(program.closed_at().is_some() && program.title().is_none());
        assert_eq!(look(&mut program, Some((Some("Ledger"), true))), title("Ledger"));
        assert_eq!(program.closed_at(), None);
        assert_eq!(look(&mut program, Some((None, true))), title(""));
        let ends = program.closed_at();
        assert!(ends.is_some());
        // Its time does not begin anew, and a window that comes ends it.
        assert_eq!(look(&mut program, Some((None, true))), None);
        assert_eq!((program.title(), program.closed_at()), (title(""), ends));
        assert_eq!(look(&mut program, Some((Some("Ledger 2"), true))), title("Ledger 2"));
        assert_eq!(program.closed_at(), None);
    }
}
