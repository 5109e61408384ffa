//! Keyboard and mouse by requests: single keys, shortcuts, the mouse, and text that is typed.

use crate::answer::{Answered, Refusal, done, result};
use crate::inner::Inner;
use crate::query::Query;
use crate::{PRINT_BYTES_MAX, keymap, part};
use hyper::StatusCode;
use oriel_physical::hid::{BUTTONS, Hid, Name};
use oriel_physical::key;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Between the keys of a shortcut.
const SHORTCUT_PAUSE: Duration = Duration::from_millis(50);
/// Keys of a shortcut.
const SHORTCUT_KEYS_MAX: usize = 8;
/// Characters that are typed where the request does not say how many.
const PRINT_CHARS: i64 = 1024;
/// Between keys where a text is to be typed slowly.
const SLOW: Duration = Duration::from_millis(20);
const DELAY_SECONDS_MAX: f64 = 5.0;
/// Longest time that a text may take because of its pauses.
const PRINT_TIME_MAX: Duration = Duration::from_mins(30);

fn key_of(name: &str) -> Result<&'static str, Refusal> {
    key::by_name(name.trim()).map(|key| key.name).ok_or_else(|| Refusal::invalid(name, "Keyboard key"))
}

/// Lets everything go if its request is given up half-way.
struct Held(Option<Arc<Inner>>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            tokio::spawn(async move { inner.clear().await });
        }
    }
}

pub(crate) async fn command(inner: &Arc<Inner>, what: &str, query: &Query) -> Answered {
    match what {
        "set_params" => set_params(inner, query).await?,
        // A virtual port cannot be unplugged, as one of OTG cannot.
        "set_connected" => {
            query.needed_flag("connected")?;
        }
        "reset" => inner.clear().await,
        "send_key" => {
            let (name, finish) = (key_of(query.text("key"))?, query.on("finish")?);
            let named = || Name::Named(name.to_owned());
            send(inner, query.flag("state")?, |down, last| Hid::Key { name: named(), down, finish: finish && last })
                .await;
        }
        "send_shortcut" => {
            let names: Vec<&str> = query.text("keys").split(',').filter(|name| !name.trim().is_empty()).collect();
            if names.is_empty() || names.len() > SHORTCUT_KEYS_MAX {
                return Err(Refusal::invalid(query.text("keys"), "list of Keyboard keys"));
            }
            let names = names.into_iter().map(key_of).collect::<Result<Vec<_>, _>>()?;
            let mut held = Held(Some(Arc::clone(inner)));
            let (down, up) = (names.iter().map(|name| (name, true)), names.iter().rev().map(|name| (name, false)));
            for (at, (name, down)) in down.chain(up).enumerate() {
                if at > 0 {
                    sleep(SHORTCUT_PAUSE).await;
                }
                inner.take(&Hid::key(name, down)).await;
            }
            held.0 = None;
        }
        "send_mouse_button" => {
            let name = query.word("button", &BUTTONS, "Mouse button")?;
            send(inner, query.flag("state")?, |down, _| Hid::button(name, down)).await;
        }
        "send_mouse_move" => {
            let axis = |name| query.clamped(name, i64::from(i16::MIN), i64::from(i16::MAX)).map(|at| at as i16);
            inner.take(&Hid::Absolute { x: axis("to_x")?, y: axis("to_y")? }).await;
        }
        "send_mouse_relative" | "send_mouse_wheel" => {
            let axis = |name| query.clamped(name, -127, 127).map(|by| by as i8);
            let steps = vec![(axis("delta_x")?, axis("delta_y")?)];
            let message = match what {
                "send_mouse_relative" => Hid::Relative { steps, squash: false },
                _ => Hid::Wheel { steps, squash: false },
            };
            inner.take(&message).await;
        }
        "inactivity" => {
            let seconds = inner.now().active.elapsed().as_secs();
            return Ok(result(json!({"inactivity": seconds})));
        }
        "keymaps" => return Ok(result(part::keymaps())),
        _ => return Ok(crate::answer::plain(StatusCode::NOT_FOUND)),
    }
    Ok(done())
}

/// Down or up, or both where the request does not say.
async fn send(inner: &Inner, state: Option<bool>, message: impl Fn(bool, bool) -> Hid) {
    match state {
        Some(down) => inner.take(&message(down, true)).await,
        None => {
            inner.take(&message(true, false)).await;
            inner.take(&message(false, false)).await;
        }
    }
}

async fn set_params(inner: &Inner, query: &Query) -> Result<(), Refusal> {
    if query.get("keyboard_output").is_some() {
        query.word("keyboard_output", &["usb", "ps2", "disabled"], "Keyboard output")?;
    }
    let words = ["usb", "usb_win98", "usb_rel", "ps2", "disabled"];
    let mouse = query.get("mouse_output").map(|_| query.word("mouse_output", &words, "Mouse output")).transpose()?;
    let jiggler = query.flag("jiggler")?;
    // An output that there is none of is left alone, without a word.
    let relative = match mouse {
        Some("usb") => Some(false),
        Some("usb_rel") => Some(true),
        _ => None,
    };
    if let Some(relative) = relative.filter(|relative| *relative != inner.now().relative) {
        inner.set_relative(relative).await;
    }
    if let Some(jiggler) = jiggler {
        inner.now().jiggler = jiggler;
        inner.change();
    }
    Ok(())
}

/// Types a text by a keymap; characters that it lacks are left out. Returns when the last key is up.
pub(crate) async fn print(inner: &Arc<Inner>, query: &Query, text: &str) -> Answered {
    let limit = query.within("limit", 0, PRINT_BYTES_MAX as i64, "text length")?.unwrap_or(PRINT_CHARS) as usize;
    let name = query.get("keymap").filter(|name| !name.is_empty()).unwrap_or(keymap::DEFAULT);
    let map = keymap::of(name).ok_or_else(|| Refusal::invalid(name, "keymap"))?;
    let slow = query.on("slow")?.then_some(SLOW);
    let delay = query.seconds("delay", DELAY_SECONDS_MAX)?.or(slow).unwrap_or_default();
    let characters: Vec<char> =
        text.chars().filter(|one| *one != '\r').take(if limit == 0 { usize::MAX } else { limit }).collect();
    if delay.saturating_mul(characters.len() as u32) > PRINT_TIME_MAX {
        return Err(Refusal::bad(
            "ValidatorError",
            format!(
                "Typing {} characters with such pauses takes more than {} minutes",
                characters.len(),
                PRINT_TIME_MAX.as_secs() / 60
            ),
        ));
    }
    let mut held = Held(Some(Arc::clone(inner)));
    let (mut shift, mut alt_gr) = (false, false);
    for character in characters {
        let Some(stroke) = map.stroke(character) else { continue };
        // What is held stays so while the next character wants it as well; what it does not want goes up first.
        for down in [false, true] {
            for (name, is, want) in [("AltRight", &mut alt_gr, stroke.alt_gr), ("ShiftLeft", &mut shift, stroke.shift)]
            {
                if *is != want && want == down {
                    *is = want;
                    inner.take(&Hid::key(name, want)).await;
                }
            }
        }
        for down in [true, false] {
            inner.take(&Hid::key(stroke.key.name, down)).await;
        }
        if !delay.is_zero() {
            sleep(delay).await;
        }
    }
    for (name, is) in [("AltRight", alt_gr), ("ShiftLeft", shift)] {
        if is {
            inner.take(&Hid::key(name, false)).await;
        }
    }
    held.0 = None;
    Ok(done())
}
