//! Quotas: the most that a person may hold at the same time.
//!
//! A rule is everyone's, a group's, a person's or a pool's, and limits what it names. Of a person's own rule and those of others their
//! own counts; then a pool's; of several groups the most generous; everyone's where no group of theirs names the same. A pool says how
//! many of its desktops one person may hold, and what may be booked of it. What is over a limit that was lowered stays; the next is
//! refused.

use crate::{Desktop, DesktopIntent, DesktopState, GroupId, Pool, PoolId, UserId};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Largest limit: what JSON in a browser still counts one by one.
pub const QUOTA_MAX: u64 = (1 << 53) - 1;
/// Desktops that a refusal names.
const NAMED_MAX: usize = 4;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    /// Desktops that are theirs, running or not. Machines that Oriel does not run are not counted.
    Desktops,
    /// Desktops of theirs that run or are on their way to it.
    Running,
    /// Virtual CPUs of those. What stands on a cloud has its flavor there, and is not counted.
    Cpus,
    /// Memory of those in bytes; as for CPUs.
    Memory,
    /// GPUs, or slices of GPUs, of those; as for CPUs.
    Gpus,
    /// Desktops and machines that they are connected to, in however many tabs.
    Sessions,
    /// Their personal disks together, in GiB, in desktops or not.
    DiskGib,
    /// Desktops of one pool: said by pools only.
    PerPerson,
    /// Bookings that are not over. Nobody may book where no rule says how many; a pool may say it for whoever may use it.
    Bookings,
    /// Longest booking, in hours; as for bookings.
    BookingHours,
    /// How many days ahead a booking may begin; as for bookings.
    BookingDays,
    /// Bookings of a lower priority give way to theirs; as for bookings.
    BookingPriority,
    /// From so many hours before its begin on a booking of theirs gives way to none; as for bookings.
    BookingNotice,
}

impl QuotaKind {
    pub const ALL: [Self; 13] = [
        Self::Desktops,
        Self::Running,
        Self::Cpus,
        Self::Memory,
        Self::Gpus,
        Self::Sessions,
        Self::DiskGib,
        Self::PerPerson,
        Self::Bookings,
        Self::BookingHours,
        Self::BookingDays,
        Self::BookingPriority,
        Self::BookingNotice,
    ];

    /// The word that is stored, written on command lines and sent to browsers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Desktops => "desktops",
            Self::Running => "running",
            Self::Cpus => "cpus",
            Self::Memory => "memory",
            Self::Gpus => "gpus",
            Self::Sessions => "sessions",
            Self::DiskGib => "disk_gib",
            Self::PerPerson => "per_person",
            Self::Bookings => "bookings",
            Self::BookingHours => "booking_hours",
            Self::BookingDays => "booking_days",
            Self::BookingPriority => "booking_priority",
            Self::BookingNotice => "booking_notice",
        }
    }

    /// Whether it is about bookings, which pools may limit as well as people and groups.
    pub const fn is_of_bookings(self) -> bool {
        matches!(
            self,
            Self::Bookings | Self::BookingHours | Self::BookingDays | Self::BookingPriority | Self::BookingNotice
        )
    }

    /// Whether somebody holds something of it, and it does not only say how what they hold may be.
    pub const fn is_held(self) -> bool {
        !matches!(self, Self::BookingHours | Self::BookingDays | Self::BookingPriority | Self::BookingNotice)
    }

    /// Whether pools say it, and nobody else.
    pub const fn is_of_pools(self) -> bool {
        matches!(self, Self::PerPerson)
    }

    /// How much of it a desktop of its owner takes, by what its pool says now.
    pub fn taken_by(self, desktop: &Desktop, pool: &Pool) -> u64 {
        if desktop.external.is_some() || desktop.intent == DesktopIntent::Deleted {
            return 0;
        }
        let runs = is_to_run(desktop);
        let is_here = runs && pool.cloud.is_none();
        match self {
            Self::Desktops | Self::PerPerson => 1,
            Self::Running => u64::from(runs),
            Self::Cpus if is_here => u64::from(pool.vcpus),
            Self::Memory if is_here => pool.memory_mib.saturating_mul(1 << 20),
            Self::Gpus if is_here => pool.gpu.as_ref().map_or(0, |gpu| u64::from(gpu.count)),
            Self::Cpus
            | Self::Memory
            | Self::Gpus
            | Self::Sessions
            | Self::DiskGib
            | Self::Bookings
            | Self::BookingHours
            | Self::BookingDays
            | Self::BookingPriority
            | Self::BookingNotice => 0,
        }
    }

    /// So much of it, for people: `2 running desktops`, `8 GiB of memory`.
    pub fn amount(self, count: u64) -> String {
        let one = count == 1;
        let of = |single: &str, many: &str| format!("{count} {}", if one { single } else { many });
        match self {
            Self::Desktops | Self::PerPerson => of("desktop", "desktops"),
            Self::Running => of("running desktop", "running desktops"),
            Self::Cpus => of("CPU", "CPUs"),
            Self::Memory => format!("{} of memory", size(count)),
            Self::Gpus => of("GPU", "GPUs"),
            Self::Sessions => of("open session", "open sessions"),
            Self::DiskGib => format!("{count} GiB of personal disks"),
            Self::Bookings => of("booking", "bookings"),
            Self::BookingHours => format!("bookings of {}", of("hour", "hours")),
            Self::BookingDays => format!("bookings {} ahead", of("day", "days")),
            Self::BookingPriority => format!("bookings of priority {count}"),
            Self::BookingNotice => format!("bookings with {} of notice", of("hour", "hours")),
        }
    }
}

/// What is being made anew runs in the end, whatever was asked for since.
fn is_to_run(desktop: &Desktop) -> bool {
    match desktop.intent {
        DesktopIntent::Running | DesktopIntent::Restart | DesktopIntent::Recycle => true,
        DesktopIntent::Stopped => desktop.state == DesktopState::Recycling,
        // It keeps its place until it goes back to what it was.
        DesktopIntent::Capture => desktop.facts.capture.is_some_and(|capture| capture.was_running),
        DesktopIntent::Deleted => false,
    }
}

impl fmt::Display for QuotaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How much. The more generous is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Option<u64>", into = "Option<u64>")]
pub enum Cap {
    Most(u64),
    /// Said so, over a rule that limits.
    Unlimited,
}

impl From<Option<u64>> for Cap {
    fn from(most: Option<u64>) -> Self {
        most.map_or(Self::Unlimited, Self::Most)
    }
}

impl From<Cap> for Option<u64> {
    fn from(cap: Cap) -> Self {
        match cap {
            Cap::Most(most) => Some(most),
            Cap::Unlimited => None,
        }
    }
}

/// What a rule limits. What it does not name it leaves to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuotaLimits(pub BTreeMap<QuotaKind, Cap>);

impl QuotaLimits {
    /// Whether a rule of that scope can say so. The error is a sentence.
    pub fn check(&self, scope: QuotaScope) -> Result<(), String> {
        if self.0.is_empty() {
            return Err("a quota without a limit says nothing; name one, or clear it".to_owned());
        }
        let of_pool = matches!(scope, QuotaScope::Pool(_));
        for (kind, cap) in &self.0 {
            if kind.is_of_pools() != of_pool && !kind.is_of_bookings() {
                return Err(if of_pool {
                    format!(
                        "a pool does not limit {kind}; it limits per_person and what begins with booking, and people and groups \
                         the rest"
                    )
                } else {
                    format!("{kind} is a limit of a pool; set it there")
                });
            }
            if let Cap::Most(most) = cap
                && *most > QUOTA_MAX
            {
                return Err(format!("{kind} cannot be {most}; choose at most {QUOTA_MAX}, or unlimited"));
            }
        }
        Ok(())
    }
}

/// As it is written on a command line: `desktops=2,memory=16G,cpus=unlimited`; `none` without any.
impl fmt::Display for QuotaLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |(kind, cap): (&QuotaKind, &Cap)| match (kind, cap) {
            (kind, Cap::Unlimited) => format!("{kind}=unlimited"),
            (QuotaKind::Memory, Cap::Most(bytes)) => format!("memory={}", short(*bytes)),
            (kind, Cap::Most(most)) => format!("{kind}={most}"),
        };
        let parts: Vec<String> = self.0.iter().map(part).collect();
        if parts.is_empty() { f.write_str("none") } else { f.write_str(&parts.join(",")) }
    }
}

impl FromStr for QuotaLimits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut limits = BTreeMap::new();
        for part in text.split(',').map(str::trim) {
            let named = part.split_once('=').and_then(|(word, value)| {
                Some((QuotaKind::ALL.into_iter().find(|kind| kind.word() == word.trim())?, value.trim()))
            });
            let Some((kind, value)) = named else {
                return Err(format!(
                    "{:?} is no limit; write some of desktops=, running=, cpus=, memory=16G, gpus=, sessions=, \
                     disk_gib= with commas between, for a pool per_person=, for bookings bookings=, booking_hours=, booking_days=, \
                     booking_priority=, booking_notice=; `unlimited` lifts what others limit",
                    part.chars().take(40).collect::<String>()
                ));
            };
            let cap = match (kind, value) {
                (_, "unlimited") => Cap::Unlimited,
                (QuotaKind::Memory, size) => Cap::Most(parse_size(size).ok_or_else(|| {
                    format!("{size:?} in {part:?} is no size; write 16G, 512M, or a number of bytes")
                })?),
                (_, count) => Cap::Most(
                    count.parse().map_err(|_| format!("{count:?} in {part:?} is no number; write 0 or more"))?,
                ),
            };
            if limits.insert(kind, cap).is_some() {
                return Err(format!("{kind} is named twice; name it once"));
            }
        }
        Ok(Self(limits))
    }
}

const UNITS: [(&str, u32); 4] = [("T", 40), ("G", 30), ("M", 20), ("K", 10)];

/// Bytes: `16G`, `16GiB`, `512M`, `1024`. Units are powers of 1024.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_uppercase();
    let unit = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
    let shift = match unit {
        "" => 0,
        unit => UNITS.iter().find(|(word, _)| *word == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(1_u64 << shift)
}

/// The largest unit in which it is whole, as it is written: `16G`.
fn short(bytes: u64) -> String {
    let whole = |unit: &&(&str, u32)| bytes > 0 && bytes.is_multiple_of(1_u64 << unit.1);
    UNITS.iter().find(whole).map_or_else(|| bytes.to_string(), |(unit, shift)| format!("{}{unit}", bytes >> *shift))
}

/// As it is said: `16 GiB`.
fn size(bytes: u64) -> String {
    let short = short(bytes);
    match short.strip_suffix(['T', 'G', 'M', 'K']) {
        Some(number) => format!("{number} {}iB", short.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => format!("{short} bytes"),
    }
}

/// Whose rule it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaScope {
    Everyone,
    Group(GroupId),
    User(UserId),
    Pool(PoolId),
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    pub scope: QuotaScope,
    pub limits: QuotaLimits,
}

impl Quota {
    /// The limit that counts among the rules that concern one person (everyone's, their groups', their own) and one pool, and whose
    /// it is. `None` when none names it.
    pub fn that_counts(rules: &[Self], kind: QuotaKind) -> Option<(Cap, QuotaScope)> {
        let named = |rank: u8| {
            let of = rules.iter().filter(move |rule| rule.scope.rank() == rank);
            // Of equals the first, so that the same is said each time.
            of.filter_map(|rule| Some((*rule.limits.0.get(&kind)?, rule.scope)))
                .reduce(|best, next| if next.0 > best.0 { next } else { best })
        };
        (0..=3).find_map(named)
    }
}

impl QuotaScope {
    /// Rules of a lower rank are asked first.
    const fn rank(self) -> u8 {
        match self {
            Self::User(_) => 0,
            Self::Pool(_) => 1,
            Self::Group(_) => 2,
            Self::Everyone => 3,
        }
    }
}

/// Whose limit stands in the way, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaOf {
    Everyone,
    Group(String),
    Own,
    Pool(String),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverQuota {
    pub kind: QuotaKind,
    pub most: u64,
    /// What they have without what was asked for.
    pub held: u64,
    pub asked: u64,
    pub of: QuotaOf,
    /// Whose desktops, by name.
    pub person: String,
    /// The desktops, or personal disks, that count, by name.
    pub holding: Vec<String>,
}

impl OverQuota {
    /// What happened, said to that person, or to somebody else about them.
    pub fn what(&self, to_them: bool) -> String {
        let (has, own) = if to_them {
            ("you have".to_owned(), "your own limit".to_owned())
        } else {
            (format!("{} has", self.person), format!("the limit of {}", self.person))
        };
        let names = match self.named() {
            names if names.is_empty() => String::new(),
            names => format!(" ({names})"),
        };
        let place = match &self.of {
            QuotaOf::Pool(pool) => format!(" of {pool}"),
            _ => String::new(),
        };
        let more = match self.kind {
            QuotaKind::Cpus | QuotaKind::Memory | QuotaKind::Gpus | QuotaKind::DiskGib => {
                format!(", this would be {} more,", self.kind.amount(self.asked))
            }
            _ => String::new(),
        };
        let limit = match &self.of {
            QuotaOf::Everyone => "everyone's limit".to_owned(),
            QuotaOf::Group(group) => format!("the limit of the group {group}"),
            QuotaOf::Own => own,
            QuotaOf::Pool(_) => "its limit for one person".to_owned(),
        };
        let most = match self.kind {
            QuotaKind::Memory => size(self.most),
            QuotaKind::DiskGib => format!("{} GiB", self.most),
            _ => self.most.to_string(),
        };
        format!("{has} {}{place}{names}{more} and {limit} is {most}", self.kind.amount(self.held))
    }

    /// What to do about it.
    pub fn next_step(&self, to_them: bool) -> String {
        let higher =
            if to_them { "ask an administrator for a higher limit" } else { "raise the limit: oriel quota set" };
        let Some(first) = self.holding.first() else { return higher.to_owned() };
        // Nobody deletes their own disks.
        if to_them && self.kind == QuotaKind::DiskGib {
            return higher.to_owned();
        }
        let done = match self.kind {
            QuotaKind::Desktops | QuotaKind::PerPerson => "give back",
            QuotaKind::Running | QuotaKind::Cpus | QuotaKind::Memory | QuotaKind::Gpus => "shut down",
            QuotaKind::Sessions => "close",
            QuotaKind::DiskGib => "delete",
            QuotaKind::Bookings
            | QuotaKind::BookingHours
            | QuotaKind::BookingDays
            | QuotaKind::BookingPriority
            | QuotaKind::BookingNotice => "cancel",
        };
        format!("{done} {first} first, or {higher}")
    }

    fn named(&self) -> String {
        let names = self.holding.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
        match self.holding.len().saturating_sub(NAMED_MAX) {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }
}

/// To nobody in particular: a log, a simulation.
impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what(false), self.next_step(false))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn rule(scope: QuotaScope, limits: &str) -> Quota {
        Quota { scope, limits: limits.parse().unwrap() }
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        for text in [
            "desktops=2",
            "running=0,cpus=8,memory=16G,gpus=1,sessions=unlimited,disk_gib=50",
            "memory=1536M",
            "per_person=1,bookings=2,booking_hours=8,booking_days=unlimited,booking_priority=5,booking_notice=48",
        ] {
            assert_eq!(text.parse::<QuotaLimits>().unwrap().to_string(), text);
        }
        let memory = |text: &str| text.parse::<QuotaLimits>().unwrap().0.get(&QuotaKind::Memory).copied();
        assert_eq!(memory("memory=2GiB"), Some(Cap::Most(2 << 30)));
        assert_eq!(memory("memory=1000"), Some(Cap::Most(1000)));
        for wrong in ["", "none", "desktops", "desktops=-1", "memory=16X", "memory=99999999T", "desktops=1,desktops=2"]
        {
            assert!(wrong.parse::<QuotaLimits>().is_err(), "{wrong}");
        }
        let json = r#"{"desktops":2,"cpus":null}"#;
        let limits: QuotaLimits = serde_json::from_str(json).unwrap();
        assert_eq!(limits, "cpus=unlimited,desktops=2".parse().unwrap());
        assert_eq!(serde_json::to_string(&limits).unwrap(), json);
    }

    #[test]
    fn pools_limit_their_own_and_others_the_rest() {
        let limits: QuotaLimits = "per_person=1".parse().unwrap();
        assert_eq!(limits.check(QuotaScope::Pool(PoolId::new())), Ok(()));
        assert!(limits.check(QuotaScope::Everyone).unwrap_err().contains("set it there"));
        let limits: QuotaLimits = "cpus=1".parse().unwrap();
        assert!(limits.check(QuotaScope::Pool(PoolId::new())).is_err());
        let limits: QuotaLimits = "bookings=1,booking_hours=4".parse().unwrap();
        assert_eq!(limits.check(QuotaScope::Pool(PoolId::new())), Ok(()));
        assert_eq!(limits.check(QuotaScope::Everyone), Ok(()));
        assert!(QuotaLimits::default().check(QuotaScope::Everyone).is_err());
    }

    #[test]
    fn the_own_limit_counts_then_the_most_generous_group_then_everyones() {
        let (few, many) = (QuotaScope::Group(GroupId::new()), QuotaScope::Group(GroupId::new()));
        let own = QuotaScope::User(UserId::new());
        let mut rules = vec![
            rule(QuotaScope::Everyone, "desktops=1,gpus=0,sessions=2"),
            rule(few, "desktops=2"),
            rule(many, "desktops=3,sessions=unlimited"),
        ];
        let counts = |rules: &[Quota], kind| Quota::that_counts(rules, kind);
        assert_eq!(counts(&rules, QuotaKind::Desktops), Some((Cap::Most(3), many)));
        assert_eq!(counts(&rules, QuotaKind::Sessions), Some((Cap::Unlimited, many)));
        assert_eq!(counts(&rules, QuotaKind::Gpus), Some((Cap::Most(0), QuotaScope::Everyone)));
        assert_eq!(counts(&rules, QuotaKind::Cpus), None);
        rules.push(rule(own, "desktops=0"));
        assert_eq!(counts(&rules, QuotaKind::Desktops), Some((Cap::Most(0), own)));
    }

    #[test]
    fn of_bookings_a_persons_own_limit_counts_before_a_pools_and_a_pools_before_groups() {
        let (own, pool) = (QuotaScope::User(UserId::new()), QuotaScope::Pool(PoolId::new()));
        let mut rules = vec![rule(QuotaScope::Group(GroupId::new()), "bookings=9"), rule(pool, "bookings=2")];
        let counts = |rules: &[Quota]| Quota::that_counts(rules, QuotaKind::Bookings);
        assert_eq!(counts(&rules), Some((Cap::Most(2), pool)));
        rules.push(rule(own, "bookings=0"));
        assert_eq!(counts(&rules), Some((Cap::Most(0), own)));
    }

    #[test]
    fn refusals_say_whose_limit_and_what_to_do() {
        let over = OverQuota {
            kind: QuotaKind::Running,
            most: 1,
            held: 1,
            asked: 1,
            of: QuotaOf::Group("artists".into()),
            person: "ada".into(),
            holding: vec!["studio-1".into()],
        };
        assert_eq!(over.what(true), "you have 1 running desktop (studio-1) and the limit of the group artists is 1");
        assert_eq!(over.next_step(true), "shut down studio-1 first, or ask an administrator for a higher limit");
        assert!(over.what(false).starts_with("ada has 1 running desktop"));
        let over = OverQuota {
            kind: QuotaKind::Memory,
            most: 3 << 30,
            held: 2 << 30,
            asked: 2 << 30,
            of: QuotaOf::Own,
            ..over
        };
        assert_eq!(
            over.what(true),
            "you have 2 GiB of memory (studio-1), this would be 2 GiB of memory more, and your own limit is 3 GiB"
        );
        let disks = OverQuota {
            kind: QuotaKind::DiskGib,
            most: 30,
            held: 20,
            asked: 20,
            holding: vec!["ada/home".into()],
            ..over.clone()
        };
        assert_eq!(
            disks.to_string(),
            "ada has 20 GiB of personal disks (ada/home), this would be 20 GiB of personal disks more, and the limit of ada is 30 GiB: \
             delete ada/home first, or raise the limit: oriel quota set"
        );
        assert_eq!(disks.next_step(true), "ask an administrator for a higher limit");
        let over =
            OverQuota { kind: QuotaKind::PerPerson, of: QuotaOf::Pool("studio".into()), holding: vec![], ..over };
        assert_eq!(over.next_step(true), "ask an administrator for a higher limit");
    }
}
