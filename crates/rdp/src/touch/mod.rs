//! Fingers and pens (MS-RDPEI) as a dynamic channel of our own: what the machine takes of them, and frames of what they do.
//!
//! ```text
//!  machine: SC Ready ──▶ CS Ready, ability() ──▶ the viewer sends contacts instead of a pointer
//!  viewer: contacts() ──▶ Touch Event, Pen Event, Dismiss Hovering ──▶ machine
//!  machine: Suspend, Resume ──▶ ability()
//!
//!  a contact:  away ──Touches──▶ engaged ──Hovers──▶ hovering ──▶ away        (MS-RDPEI 3.1.1.1)
//! ```
//!
//! A machine drops a whole gesture when one contact of it takes a step that cannot be, so that steps are made here and not by viewers, of whom
//! two may say different things. Every frame has all contacts that are there: Windows takes one that is missing for a mistake.
//!
//! Whatever is wrong with a message is left out, as the specification wants it (3.1.5.1): the session is not about fingers. IronRDP's client of
//! this channel (0.3) ends the session there.

mod wire;

use crate::dynamic::pdus;
use ironrdp_core::impl_as_any;
use ironrdp_dvc::{DvcClientProcessor, DvcMessage, DvcProcessor};
use ironrdp_pdu::PduResult;
use oriel_screen::{CONTACTS_MAX, Contact, ContactState, Contacts, TouchAbility};

pub(crate) const CHANNEL_NAME: &str = "Microsoft::Windows::RDS::Input";

/// A contact that the machine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    engaged: bool,
    last: Contact,
}

/// Our side of the channel.
#[derive(Debug, Default)]
pub(crate) struct Touch {
    /// What both speak, once the machine is ready.
    version: Option<u32>,
    suspended: bool,
    fingers: Vec<Known>,
    pen: Vec<Known>,
}

impl Touch {
    /// What the machine takes now.
    pub(crate) fn ability(&self) -> TouchAbility {
        match self.version {
            Some(version) if !self.suspended => {
                TouchAbility { fingers: CONTACTS_MAX as u8, pens: u8::from(version >= wire::V200) }
            }
            _ => TouchAbility::default(),
        }
    }

    /// Answers to a message of the machine.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        let Some((header, body)) = payload.split_first_chunk::<{ wire::HEADER_BYTES }>() else { return Vec::new() };
        let [id_low, id_high, a, b, c, d] = *header;
        if u32::from_le_bytes([a, b, c, d]) as usize != payload.len() {
            tracing::debug!(bytes = payload.len(), "A message about touch has another length than it says");
            return Vec::new();
        }
        match u16::from_le_bytes([id_low, id_high]) {
            wire::SC_READY => {
                let Some((version, _features)) = body.split_first_chunk::<4>() else { return Vec::new() };
                let theirs = u32::from_le_bytes(*version);
                if theirs < wire::V100 {
                    return Vec::new();
                }
                // What may come after 3.0 speaks that as well.
                let version = theirs.min(wire::V300);
                tracing::debug!(theirs, version, "Machine takes touch");
                *self = Self { version: Some(version), ..Self::default() };
                vec![wire::ready(version, CONTACTS_MAX as u16)]
            }
            wire::SUSPEND => {
                self.suspended = true;
                // What was there then is nothing that could go on later.
                self.fingers.clear();
                self.pen.clear();
                Vec::new()
            }
            wire::RESUME => {
                self.suspended = false;
                Vec::new()
            }
            // Only clients say the rest.
            _ => Vec::new(),
        }
    }

    /// What fingers or a pen did on a screen of that size, as messages for the machine.
    pub(crate) fn contacts(&mut self, said: &Contacts, (width, height): (u16, u16)) -> Vec<Vec<u8>> {
        let ability = self.ability();
        let most = if said.pen { ability.pens } else { ability.fingers };
        let known = if said.pen { &mut self.pen } else { &mut self.fingers };
        let is_first = known.is_empty();
        let mut changed: Vec<(u32, Contact)> = Vec::new();
        for contact in &said.contacts {
            let mut contact = *contact;
            if said.pen {
                contact.id = 0;
            }
            contact.x = contact.x.min(width.saturating_sub(1));
            contact.y = contact.y.min(height.saturating_sub(1));
            // A frame has a contact once.
            if changed.iter().any(|(_, other)| other.id == contact.id) {
                continue;
            }
            changed.extend(step(known, contact, most));
        }
        if changed.is_empty() {
            return Vec::new();
        }
        for other in known.iter() {
            if changed.iter().all(|(_, contact)| contact.id != other.last.id) {
                changed.push((UPDATES | if other.engaged { wire::IN_CONTACT } else { 0 }, other.last));
            }
        }
        let offset_us = if is_first { 0 } else { u64::from(said.after_ms) * 1000 };
        vec![wire::event(said.pen, offset_us, &changed)]
    }

    /// Nobody touches anything any more, and nothing of what they did last was meant.
    pub(crate) fn cancel(&mut self) -> Vec<Vec<u8>> {
        if self.ability() == TouchAbility::default() {
            return Vec::new();
        }
        let mut messages = Vec::new();
        for (pen, known) in [(false, &mut self.fingers), (true, &mut self.pen)] {
            if !pen {
                // What hovers need not be cancelled: it did nothing.
                messages.extend(known.iter().filter(|one| !one.engaged).map(|one| wire::dismiss_hovering(one.last.id)));
                known.retain(|one| one.engaged);
            }
            let last: Vec<(u32, Contact)> = known.drain(..).map(|one| (left(one.engaged, true), one.last)).collect();
            if !last.is_empty() {
                messages.push(wire::event(pen, 0, &last));
            }
        }
        messages
    }
}

/// Of a contact that stays in range.
const UPDATES: u32 = wire::UPDATE | wire::IN_RANGE;

/// How a contact leaves.
const fn left(engaged: bool, cancelled: bool) -> u32 {
    (if engaged { wire::UP } else { wire::UPDATE }) | if cancelled { wire::CANCELLED } else { 0 }
}

/// Takes a contact from what the machine knows of it to where it is now: what the machine is told, if anything.
fn step(known: &mut Vec<Known>, mut contact: Contact, most: u8) -> Option<(u32, Contact)> {
    let place = known.iter().position(|one| one.last.id == contact.id);
    let before = place.and_then(|place| known.get(place)).copied();
    let engaged = before.is_some_and(|before| before.engaged);
    let flags = match contact.state {
        ContactState::Touches if engaged => UPDATES | wire::IN_CONTACT,
        ContactState::Touches => wire::DOWN | wire::IN_RANGE | wire::IN_CONTACT,
        ContactState::Hovers if engaged => wire::UP | wire::IN_RANGE,
        ContactState::Hovers => UPDATES,
        ContactState::Away | ContactState::Cancelled => {
            before?;
            left(engaged, contact.state == ContactState::Cancelled)
        }
    };
    if let Some(before) = before
        && flags & wire::UP != 0
    {
        // It may move only after it has left the surface (3.1.1.1).
        (contact.x, contact.y) = (before.last.x, before.last.y);
    }
    let now = Known { engaged: contact.state == ContactState::Touches, last: contact };
    let stays = matches!(contact.state, ContactState::Touches | ContactState::Hovers);
    match (place, stays) {
        (Some(place), true) => *known.get_mut(place)? = now,
        (Some(place), false) => {
            known.swap_remove(place);
        }
        (None, true) if known.len() < usize::from(most) => known.push(now),
        (None, _) => return None,
    }
    Some((flags, contact))
}

impl_as_any!(Touch);

impl DvcProcessor for Touch {
    fn channel_name(&self) -> &str {
        CHANNEL_NAME
    }

    /// The machine speaks first.
    fn start(&mut self, _channel_id: u32) -> PduResult<Vec<DvcMessage>> {
        Ok(Vec::new())
    }

    fn process(&mut self, _channel_id: u32, payload: &[u8]) -> PduResult<Vec<DvcMessage>> {
        Ok(pdus(self.message(payload)))
    }

    fn close(&mut self, _channel_id: u32) {
        *self = Self::default();
    }
}

impl DvcClientProcessor for Touch {}

#[cfg(test)]
mod tests;
