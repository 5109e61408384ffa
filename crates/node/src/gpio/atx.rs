//! The buttons and lights of a case: power and reset to press, power and disk to look at.

use super::{Chip, GpioError, Input, Line, Output};
use oriel_device::Button;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::watch;

/// How long a button is held: as a person's finger, and so long that every machine cuts its power.
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_millis(5500);
/// How often lights are looked at. Not every chip tells of changes, and a disk's light flickers.
const LOOK: Duration = Duration::from_millis(100);

/// Which lines of the chip are wired to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtxOptions {
    /// A path, a name, or a label.
    pub chip: String,
    pub power: Option<Line>,
    pub reset: Option<Line>,
    pub power_light: Option<Line>,
    pub disk_light: Option<Line>,
}

/// What the lights show; `None`: there is no wire, or the chip is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lights {
    pub power: Option<bool>,
    pub disk: Option<bool>,
}

struct Buttons {
    power: Option<Output>,
    reset: Option<Output>,
}

struct Shared {
    /// Held while a button is.
    buttons: Mutex<Buttons>,
    ends: Mutex<bool>,
    ending: Condvar,
    lights: watch::Sender<Lights>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Waits; whether everything ends meanwhile.
    fn ends_within(&self, wait: Duration) -> bool {
        let ends = held(&self.ends);
        let (ends, _) =
            self.ending.wait_timeout_while(ends, wait, |ends| !*ends).unwrap_or_else(PoisonError::into_inner);
        *ends
    }

    fn press(&self, button: Button) -> Result<(), String> {
        let buttons = held(&self.buttons);
        let (output, time, name) = match button {
            Button::Power => (&buttons.power, SHORT, "power"),
            Button::PowerLong => (&buttons.power, LONG, "power"),
            Button::Reset => (&buttons.reset, SHORT, "reset"),
        };
        let output = output.as_ref().ok_or_else(|| format!("no wire to the {name} button is configured"))?;
        let failed = |error: std::io::Error| format!("the line of the {name} button cannot be driven: {error}");
        output.set(true).map_err(failed)?;
        let cut_short = self.ends_within(time);
        output.set(false).map_err(failed)?;
        if cut_short { Err("the node ends: the button was let go early".to_owned()) } else { Ok(()) }
    }

    fn look(&self, power: Option<&Input>, disk: Option<&Input>) {
        while !self.ends_within(LOOK) {
            let light = |input: Option<&Input>| input.and_then(|input| input.is_on().ok());
            let now = Lights { power: light(power), disk: light(disk) };
            self.lights.send_if_modified(|before| std::mem::replace(before, now) != now);
        }
    }
}

/// The wires, until this is dropped: then every button is let go.
pub struct Atx {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    has_power_light: bool,
}

impl Atx {
    /// Takes the lines; buttons are let go.
    ///
    /// # Errors
    /// The chip or a line cannot be had.
    pub fn begin(options: &AtxOptions) -> Result<Self, GpioError> {
        let chip = Chip::open(&options.chip)?;
        let output = |line: Option<Line>| line.map(|line| chip.output(&line)).transpose();
        let input = |line: Option<Line>| line.map(|line| chip.input(&line)).transpose();
        let buttons = Buttons { power: output(options.power)?, reset: output(options.reset)? };
        let (power, disk) = (input(options.power_light)?, input(options.disk_light)?);
        let shared = Arc::new(Shared {
            buttons: Mutex::new(buttons),
            ends: Mutex::new(false),
            ending: Condvar::new(),
            lights: watch::Sender::new(Lights::default()),
        });
        let theirs = Arc::clone(&shared);
        let has_power_light = power.is_some();
        let thread = thread::Builder::new().name("lights".to_owned());
        let thread = thread.spawn(move || theirs.look(power.as_ref(), disk.as_ref())).map_err(GpioError::Thread)?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)), has_power_light })
    }

    pub fn lights(&self) -> watch::Receiver<Lights> {
        self.shared.lights.subscribe()
    }

    pub const fn has_power_light(&self) -> bool {
        self.has_power_light
    }

    /// Returns when the button is up again. It comes up even where nobody waits for that.
    ///
    /// # Errors
    /// It was not pressed, or not for so long; why.
    pub async fn press(&self, button: Button) -> Result<(), String> {
        let shared = Arc::clone(&self.shared);
        let pressed = tokio::task::spawn_blocking(move || shared.press(button)).await;
        pressed.unwrap_or_else(|_| Err("the button was not pressed: the node ends".to_owned()))
    }

    /// Lets everything go; a button that is held comes up at once.
    pub fn end(&self) {
        *held(&self.shared.ends) = true;
        self.shared.ending.notify_all();
        let thread = held(&self.thread).take();
        if let Some(thread) = thread {
            thread.join().ok();
        }
        // Whoever pressed one has let it go when this can be had.
        let mut buttons = held(&self.shared.buttons);
        *buttons = Buttons { power: None, reset: None };
    }
}

impl Drop for Atx {
    fn drop(&mut self) {
        self.end();
    }
}
