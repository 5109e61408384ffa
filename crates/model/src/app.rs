//! Programs that pools publish: opened by themselves, instead of a whole desktop.

use crate::{AppId, MachineParameters, Micros, PoolId};
use serde::{Deserialize, Serialize};

/// Longest name, in characters (units of UTF-16).
const NAME_CHARS_MAX: usize = 80;
/// Longest program, folder or arguments, in units of UTF-16: what the machine is told has at most 520 bytes of UTF-16
/// (MS-RDPERP §2.2.2.3.1, MS-RDPBCGR §2.2.1.11.1.1).
const TEXT_CHARS_MAX: usize = 255;

/// A program of a pool's machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    pub pool: PoolId,
    /// What people see; unique in its pool.
    pub name: String,
    pub run: AppRun,
    /// SHA-256 of its picture, if it has one: 64 characters, lowercase hex.
    pub icon: Option<String>,
    pub created: Micros,
}

/// What is started over RDP: one of the first two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppRun {
    /// A RemoteApp of Windows: its path there, or `||` and the name that it is published under.
    pub remote_app: Option<String>,
    /// Any program with its arguments, which the machine runs instead of its desktop.
    pub initial_program: Option<String>,
    /// Of a RemoteApp.
    pub arguments: Option<String>,
    /// Where it starts.
    pub folder: Option<String>,
}

impl App {
    /// What is wrong with it. The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        let text = |what: &str, text: &str, most: usize| {
            let length = text.encode_utf16().count();
            if text.trim().is_empty() || length > most || text.chars().any(char::is_control) {
                return Err(format!("an app's {what} has 1 to {most} characters, and none that cannot be seen"));
            }
            Ok(())
        };
        text("name", &self.name, NAME_CHARS_MAX)?;
        let AppRun { remote_app, initial_program, arguments, folder } = &self.run;
        if remote_app.is_some() == initial_program.is_some() {
            return Err("an app is either a remote_app (of Windows) or an initial_program".to_owned());
        }
        if initial_program.is_some() && arguments.is_some() {
            return Err("arguments are those of a remote_app: an initial_program has its own behind it".to_owned());
        }
        for (what, of) in [
            ("remote_app", remote_app),
            ("initial_program", initial_program),
            ("arguments", arguments),
            ("folder", folder),
        ] {
            if let Some(of) = of {
                text(what, of, TEXT_CHARS_MAX)?;
            }
        }
        Ok(())
    }
}

impl AppRun {
    /// A machine's parameters for a session that is this program, and nothing else.
    pub fn over(self, parameters: MachineParameters) -> MachineParameters {
        let (initial_folder, remote_folder) =
            if self.remote_app.is_some() { (None, self.folder) } else { (self.folder, None) };
        MachineParameters {
            remote_app: self.remote_app,
            remote_app_arguments: self.arguments,
            remote_app_folder: remote_folder,
            initial_program: self.initial_program,
            program_folder: initial_folder,
            ..parameters
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(run: AppRun) -> App {
        App { id: AppId::new(), pool: PoolId::new(), name: "Ledger".to_owned(), run, icon: None, created: Micros(0) }
    }

    #[test]
    fn an_app_is_one_program() {
        let text = |text: &str| Some(text.to_owned());
        let remote = AppRun { remote_app: text("||ledger"), arguments: text("/year 2026"), ..AppRun::default() };
        assert_eq!(app(remote.clone()).check(), Ok(()));
        assert!(app(AppRun::default()).check().is_err(), "nothing to run");
        assert!(app(AppRun { initial_program: text("xterm"), ..remote.clone() }).check().is_err(), "two of them");
        assert!(app(AppRun { remote_app: text("a\nb"), ..AppRun::default() }).check().is_err());
        let long = |unit: &str, count| AppRun { initial_program: Some(unit.repeat(count)), ..AppRun::default() };
        assert_eq!(app(long("x", 255)).check(), Ok(()));
        assert!(app(long("\u{1F4D2}", 128)).check().is_err(), "each is two units");
        assert!(App { name: "x".repeat(81), ..app(remote.clone()) }.check().is_err());

        let before =
            MachineParameters { initial_program: text("desk"), domain: text("CORP"), ..MachineParameters::default() };
        let after = AppRun { folder: text("C:\\"), ..remote }.over(before);
        assert_eq!((after.initial_program, after.program_folder), (None, None));
        assert_eq!((after.remote_app, after.remote_app_folder), (text("||ledger"), text("C:\\")));
        assert_eq!(after.domain, text("CORP"));
        let plain = AppRun { initial_program: text("xterm"), folder: text("/srv"), ..AppRun::default() };
        let after = plain.over(MachineParameters::default());
        assert_eq!((after.program_folder, after.remote_app_folder), (text("/srv"), None));
    }
}
