//! `oriel booking`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, say},
};
use clap::Subcommand;
use jiff::{Timestamp, Zoned, civil, tz::TimeZone};
use oriel_server::api::booking::{Booking, BookingList, BookingNew};

#[derive(Subcommand)]
pub enum Command {
    /// Book a desktop of a pool for a span of time
    ///
    /// It is kept from some minutes before on (the pool's --start-ahead) until the end, used or not: get it as any desktop of the pool.
    /// Who may book how many, for how long and how far ahead is said by quotas: `oriel quota set --group artists bookings=2`. Where
    /// nothing is left, it takes the place of bookings of a lower priority that do not begin soon; their people are told.
    Add {
        /// Id or name of the pool, of which people share desktops
        pool: String,
        /// When it begins: `14:00`, `tomorrow 9:00`, `2026-12-01 14:00` (all in this machine's time zone), or RFC 3339
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        from: Timestamp,
        /// When it is over, written likewise; a time of day alone is the first after the begin
        #[arg(long, value_name = "TIME")]
        to: String,
        /// For whom: id or name; you when left out. For others, administrators of the pool book, whatever quotas say
        #[arg(long = "for", value_name = "USER")]
        person: Option<String>,
        /// From 0 to 1000: what quotas say (`booking_priority=5`) when left out. Administrators of the pool say it
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=1000))]
        priority: Option<u32>,
    },
    /// List bookings that are not over: yours, and those of pools that you may see
    ///
    /// Of those that lost their place to one of a higher priority it says when.
    List {
        /// Of one pool: id or name
        #[arg(long)]
        pool: Option<String>,
        /// Of one person: id or name
        #[arg(long)]
        user: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Cancel a booking; whoever is in a desktop stays
    Cancel {
        /// As `oriel booking list` shows it
        id: String,
    },
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    moment(text, &Zoned::now(), None)
}

/// A moment as people write it. A time of day alone is of today, or the first that is later than `after`.
fn moment(text: &str, now: &Zoned, after: Option<Timestamp>) -> Result<Timestamp, String> {
    let wrong =
        || format!("{text:?} is no time; write 14:00, \"tomorrow 9:00\", \"2026-12-01 14:00\" or 2026-12-01T14:00:00Z");
    let text = text.trim();
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Ok(exact);
    }
    let there =
        |at: civil::DateTime| at.to_zoned(now.time_zone().clone()).map(|at| at.timestamp()).map_err(|_| wrong());
    if let Some(time) = time_of_day(text) {
        let begin = after.map_or_else(|| now.clone(), |after| after.to_zoned(now.time_zone().clone()));
        let same_day = there(begin.date().to_datetime(time))?;
        if after.is_none_or(|after| same_day > after) {
            return Ok(same_day);
        }
        return there(begin.date().tomorrow().map_err(|_| wrong())?.to_datetime(time));
    }
    let (day, time) = text.split_once([' ', 'T']).ok_or_else(wrong)?;
    let day = match day {
        "today" => now.date(),
        "tomorrow" => now.date().tomorrow().map_err(|_| wrong())?,
        day => day.parse().map_err(|_| wrong())?,
    };
    there(day.to_datetime(time_of_day(time.trim()).ok_or_else(wrong)?))
}

/// `9:00`, `14:30`.
fn time_of_day(text: &str) -> Option<civil::Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| text.parse::<i8>().ok().filter(|_| text.len() <= 2 && !text.starts_with(['+', '-']));
    if minute.len() != 2 {
        return None;
    }
    civil::Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// In this machine's time zone: `2026-11-30 14:00`.
fn here(at: &str) -> String {
    at.parse::<Timestamp>()
        .map_or_else(|_| at.to_owned(), |at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string())
}

/// What became of it, and until when something may.
fn standing(booking: &Booking, now: Timestamp) -> String {
    match &booking.displaced {
        Some(at) => format!("displaced {}: another one has a higher priority", here(at)),
        None if booking.firm_from.parse::<Timestamp>().is_ok_and(|firm| firm > now) => {
            format!("gives way to higher ones until {}", here(&booking.firm_from))
        }
        None => "firm".to_owned(),
    }
}

/// A page of bookings, as large as it may be.
fn question(pool: Option<&str>, user: Option<&str>, cursor: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("pool", pool), ("user", user), ("cursor", cursor), ("limit", Some("500"))] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    format!("/bookings?{}", query.finish())
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::Add { pool, from, to, person, priority } => {
                let to = moment(&to, &Zoned::now(), Some(from)).map_err(Failure::usage)?;
                let new = BookingNew { from: from.to_string(), to: to.to_string(), person, priority };
                let booked: Booking = client.post(&format!("/pools/{}/bookings", segment(&pool)), &new).await?;
                say(format!(
                    "a desktop of {} is booked for {} from {} to {}; cancel it: oriel booking cancel {}",
                    booked.pool.name,
                    booked.person.name,
                    here(&booked.from),
                    here(&booked.to),
                    booked.id
                ));
                Ok(())
            }
            Self::List { pool, user, json } => {
                let mut list = BookingList { bookings: Vec::new(), next: None };
                loop {
                    let path = question(pool.as_deref(), user.as_deref(), list.next.as_deref());
                    let page: BookingList = client.get(&path).await?;
                    list.bookings.extend(page.bookings);
                    list.next = page.next;
                    if list.next.is_none() {
                        break;
                    }
                }
                if json.json {
                    let value = serde_json::to_value(&list)
                        .map_err(|error| Failure::because("cannot write the list", &error))?;
                    return output::print_json(&value);
                }
                let mut rows = Rows::new(
                    ["pool", "person", "from", "to", "priority", "stands", "id"],
                    "nothing is booked: `oriel booking add POOL --from 14:00 --to 16:00` would be a beginning",
                );
                let now = Timestamp::now();
                for one in list.bookings {
                    let (priority, stands) = (one.priority.to_string(), standing(&one, now));
                    let (from, to) = (here(&one.from), here(&one.to));
                    rows.row([one.pool.name, one.person.name, from, to, priority, stands, one.id]);
                }
                rows.right(&[4]).print()
            }
            Self::Cancel { id } => {
                client.delete(&format!("/bookings/{}", segment(&id))).await?;
                say("the booking is cancelled");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use oriel_server::api::Named;

    #[test]
    fn what_became_of_a_booking_is_said() {
        let named = |name: &str| Named { id: name.to_owned(), name: name.to_owned() };
        let mut one = Booking {
            id: "1".to_owned(),
            pool: named("render"),
            person: named("ada"),
            from: "2026-12-01T14:00:00Z".to_owned(),
            to: "2026-12-01T16:00:00Z".to_owned(),
            priority: 1,
            firm_from: "2026-11-30T14:00:00Z".to_owned(),
            displaced: None,
        };
        let said = |one: &Booking, at: &str| standing(one, at.parse().unwrap());
        assert!(said(&one, "2026-11-30T13:59:00Z").starts_with("gives way to higher ones until "));
        assert_eq!(said(&one, "2026-11-30T14:00:00Z"), "firm");
        one.displaced = Some("2026-11-29T10:00:00Z".to_owned());
        assert!(said(&one, "2026-11-30T14:00:00Z").ends_with(": another one has a higher priority"));
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Zoned = "2026-11-30T10:20:00+01:00[Europe/Berlin]".parse().unwrap();
        let at = |text: &str| moment(text, &now, None).unwrap().to_string();
        assert_eq!(at("14:00"), "2026-11-30T13:00:00Z");
        assert_eq!(at("9:00"), "2026-11-30T08:00:00Z");
        assert_eq!(at("today 23:59"), "2026-11-30T22:59:00Z");
        assert_eq!(at("tomorrow 9:00"), "2026-12-01T08:00:00Z");
        assert_eq!(at("2027-07-01 14:00"), "2027-07-01T12:00:00Z");
        assert_eq!(at("2027-07-01T14:00"), "2027-07-01T12:00:00Z");
        assert_eq!(at("2026-12-01T14:00:00Z"), "2026-12-01T14:00:00Z");
        for wrong in ["", "14", "25:00", "9:5", "+9:00", "yesterday 9:00", "tomorrow", "2026-13-01 9:00"] {
            assert!(moment(wrong, &now, None).is_err(), "{wrong}");
        }
        // What a booking ends at is after its begin.
        let from: Timestamp = "2026-12-01T21:00:00Z".parse().unwrap();
        let to = |text: &str| moment(text, &now, Some(from)).unwrap().to_string();
        assert_eq!(to("23:30"), "2026-12-01T22:30:00Z");
        assert_eq!(to("2:00"), "2026-12-02T01:00:00Z");
    }
}
