//! Patience with those who guess passwords and codes.
//!
//! Two counts stand side by side:
//! - of each (name, address): after a few wrong passwords every further one waits twice as long as the one before. Another
//!   address is not slowed down by it, so nobody can lock somebody else out from everywhere.
//! - of each address, whatever the names: a bucket of attempts that fills slowly, against trying one password on everybody.
//!
//! Codes of six digits have a third count, of each account whatever the addresses: whoever knows the password and has many addresses
//! would find one in days. Only they can use it up, and while it is empty the account's recovery codes and remembered browsers
//! still let its person in.
//!
//! An attempt counts from the moment it is let in, not when it fails: a hundred at once get no hundred guesses. The one that
//! succeeds takes its count back. Memory is bounded; when it is full those who were quiet longest are forgotten.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Wrong passwords for one name from one address before waiting begins.
const FREE_ATTEMPTS: u32 = 4;
/// The first wait; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_mins(15);
/// After so long without an attempt all is forgotten.
const FORGET_AFTER: Duration = Duration::from_hours(1);
/// Attempts that one address may make at once, whatever the names.
const ADDRESS_ATTEMPTS: f64 = 40.0;
/// And how many it is given back a second (one every six seconds).
const ADDRESS_ATTEMPTS_PER_SECOND: f64 = 1.0 / 6.0;
/// Codes that may be tried for one account at once, whatever the addresses.
const CODE_ATTEMPTS: f64 = 30.0;
/// And how many it is given back a second (one every ten minutes).
const CODE_ATTEMPTS_PER_SECOND: f64 = 1.0 / 600.0;
/// Entries of each of the counts.
const ENTRIES_MAX: usize = 10_000;
/// Characters of a name that count.
const NAME_CHARS_MAX: usize = 64;

/// What was tried lately. One for the program, behind a lock.
#[derive(Debug, Default)]
pub struct Throttle {
    names: HashMap<(String, IpAddr), Guesses>,
    addresses: HashMap<IpAddr, Bucket>,
    /// Of codes, by account.
    codes: HashMap<String, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Guesses {
    count: u32,
    last: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Attempts left at `last`.
    left: f64,
    last: Instant,
}

impl Throttle {
    /// Lets an attempt in and counts it, or says how long to wait. One that must wait is not counted.
    pub fn check(&mut self, name: &str, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let key = key(name, address);
        let guesses = self.names.get(&key).filter(|guesses| guesses.age(now) < FORGET_AFTER).copied();
        let guesses = guesses.unwrap_or(Guesses { count: 0, last: now });
        let bucket = self.addresses.get(&key.1).copied().unwrap_or(Bucket { left: ADDRESS_ATTEMPTS, last: now });
        let left = bucket.left_at(now, ADDRESS_ATTEMPTS, ADDRESS_ATTEMPTS_PER_SECOND);
        let wait = guesses.wait(now).max(wait_for_one(left, ADDRESS_ATTEMPTS_PER_SECOND));
        if !wait.is_zero() {
            return Err(wait);
        }
        make_room(&mut self.names, |guesses| guesses.last, now);
        make_room(&mut self.addresses, |bucket| bucket.last, now);
        self.addresses.insert(key.1, Bucket { left: left - 1.0, last: now });
        self.names.insert(key, Guesses { count: guesses.count.saturating_add(1), last: now });
        Ok(())
    }

    /// Lets one code be tried for an account, which is named by its id, beside [`Throttle::check`], and counts it; or says how long to wait.
    pub fn check_code(&mut self, account: &str, now: Instant) -> Result<(), Duration> {
        let fresh = Bucket { left: CODE_ATTEMPTS, last: now };
        let bucket = self.codes.get(account).copied().unwrap_or(fresh);
        let left = bucket.left_at(now, CODE_ATTEMPTS, CODE_ATTEMPTS_PER_SECOND);
        let wait = wait_for_one(left, CODE_ATTEMPTS_PER_SECOND);
        if !wait.is_zero() {
            return Err(wait);
        }
        make_room(&mut self.codes, |bucket| bucket.last, now);
        self.codes.insert(account.to_owned(), Bucket { left: left - 1.0, last: now });
        Ok(())
    }

    /// The code that was tried was right: the account gets this attempt back, and not those of others.
    pub fn code_success(&mut self, account: &str) {
        if let Some(bucket) = self.codes.get_mut(account) {
            bucket.left = (bucket.left + 1.0).min(CODE_ATTEMPTS);
        }
    }

    /// The attempt that was let in had the right password: the name is free again from that address, and the address gets
    /// its attempt back.
    pub fn success(&mut self, name: &str, address: IpAddr) {
        let key = key(name, address);
        if let Some(bucket) = self.addresses.get_mut(&key.1) {
            bucket.left = (bucket.left + 1.0).min(ADDRESS_ATTEMPTS);
        }
        self.names.remove(&key);
    }

    /// The attempt that was let in had a wrong password: the wait begins now. (It is counted already.)
    pub fn failure(&mut self, name: &str, address: IpAddr, now: Instant) {
        if let Some(guesses) = self.names.get_mut(&key(name, address)) {
            guesses.last = guesses.last.max(now);
        }
    }
}

impl Guesses {
    fn age(self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last)
    }

    fn wait(self, now: Instant) -> Duration {
        let Some(waits) = self.count.checked_sub(FREE_ATTEMPTS) else { return Duration::ZERO };
        let wait = FIRST_WAIT.saturating_mul(1_u32.checked_shl(waits).unwrap_or(u32::MAX)).min(WAIT_MAX);
        wait.saturating_sub(self.age(now))
    }
}

impl Bucket {
    fn left_at(self, now: Instant, most: f64, per_second: f64) -> f64 {
        let refilled = now.saturating_duration_since(self.last).as_secs_f64() * per_second;
        (self.left + refilled).min(most)
    }
}

/// Until the bucket holds one attempt.
fn wait_for_one(left: f64, per_second: f64) -> Duration {
    if left >= 1.0 {
        return Duration::ZERO;
    }
    // Rounded up to a millisecond, so that whoever waits exactly so long is let in.
    Duration::from_secs_f64((1.0 - left) / per_second) + Duration::from_millis(1)
}

/// Names without case; of IPv6 the network of 64 bits, which is what one subscriber has.
fn key(name: &str, address: IpAddr) -> (String, IpAddr) {
    let name = name.chars().take(NAME_CHARS_MAX).flat_map(char::to_lowercase).collect();
    let address = match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    };
    (name, address)
}

/// Forgets the forgotten, and if that is not enough, the quarter that was quiet longest.
fn make_room<K: Eq + Hash, V>(entries: &mut HashMap<K, V>, last: impl Fn(&V) -> Instant, now: Instant) {
    if entries.len() < ENTRIES_MAX {
        return;
    }
    entries.retain(|_, entry| now.saturating_duration_since(last(entry)) < FORGET_AFTER);
    if entries.len() < ENTRIES_MAX {
        return;
    }
    let mut times: Vec<Instant> = entries.values().map(&last).collect();
    let quarter = times.len() / 4;
    let (_, oldest_kept, _) = times.select_nth_unstable(quarter);
    let oldest_kept = *oldest_kept;
    let mut kept = ENTRIES_MAX - quarter;
    // Entries of one moment beyond the quarter go too: what is kept never fills all room.
    entries.retain(|_, entry| {
        let keep = last(entry) >= oldest_kept && kept > 0;
        kept -= usize::from(keep);
        keep
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Guesses wrongly once, as soon as it is let in; how long that took.
    fn guess(throttle: &mut Throttle, name: &str, now: &mut Instant) -> Duration {
        let start = *now;
        while let Err(wait) = throttle.check(name, HOME, *now) {
            *now += wait;
        }
        throttle.failure(name, HOME, *now);
        *now - start
    }

    #[test]
    fn each_guess_waits_twice_as_long() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        let waits: Vec<u64> = (0..16).map(|_| guess(&mut throttle, "ada", &mut now).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        // Names are compared without case, and with somebody else's name one is not slower.
        assert!(throttle.check("ADA", HOME, now).is_err());
        assert!(throttle.check("bob", HOME, now).is_ok());
        // After an hour it begins anew.
        assert!(throttle.check("ada", HOME, now + FORGET_AFTER).is_ok());
        assert!(throttle.check("ada", HOME, now + FORGET_AFTER).is_ok());
    }

    #[test]
    fn nobody_is_locked_out_from_everywhere() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..12 {
            guess(&mut throttle, "ada", &mut now);
        }
        assert!(throttle.check("ada", HOME, now).is_err());
        assert!(throttle.check("ada", AWAY, now).is_ok());
    }

    #[test]
    fn one_address_cannot_try_everybody() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let let_in = (0..1000).filter(|n| throttle.check(&format!("user{n}"), HOME, start).is_ok()).count();
        assert_eq!(let_in, 40);
        let wait = throttle.check("last", HOME, start).unwrap_err();
        assert!(wait > seconds(5) && wait < seconds(7), "{wait:?}");
        assert!(throttle.check("last", AWAY, start).is_ok());
        assert!(throttle.check("last", HOME, start + wait).is_ok());
        // A day of trying is a day's ration.
        let day = (0..86_400).filter(|s| throttle.check(&format!("u{s}"), HOME, start + seconds(*s)).is_ok()).count();
        assert!((14_300..14_500).contains(&day), "{day}");
    }

    #[test]
    fn attempts_at_once_are_counted_before_they_fail() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!((0..100).filter(|_| throttle.check("ada", HOME, now).is_ok()).count(), FREE_ATTEMPTS as usize);
    }

    #[test]
    fn codes_of_one_account_are_few_whatever_the_addresses() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        assert_eq!((0..100).filter(|_| throttle.check_code("ada", start).is_ok()).count(), 30);
        let wait = throttle.check_code("ada", start).unwrap_err();
        assert!(wait > seconds(590) && wait < seconds(610), "{wait:?}");
        assert!(throttle.check_code("bob", start).is_ok());
        assert!(throttle.check_code("ada", start + wait).is_ok());
        throttle.code_success("ada");
        assert!(throttle.check_code("ada", start + wait).is_ok());
        // A year of guessing finds one of a million codes, three of which are good at a time, once in five.
        let day = (0..86_400).filter(|s| throttle.check_code("eve", start + seconds(*s)).is_ok()).count();
        assert!((172..176).contains(&day), "{day}");
        // Signing in with the password is another matter.
        assert!(throttle.check("ada", HOME, start).is_ok());
        for n in 0..20_000_u64 {
            let _ = throttle.check_code(&format!("user{n}"), start + seconds(n));
            assert!(throttle.codes.len() <= ENTRIES_MAX);
        }
    }

    #[test]
    fn success_clears_and_costs_nothing() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..1000 {
            throttle.check("ada", HOME, now).unwrap();
            throttle.success("ada", HOME);
        }
        for _ in 0..6 {
            guess(&mut throttle, "ada", &mut now);
        }
        now += seconds(60);
        throttle.check("ada", HOME, now).unwrap();
        throttle.success("Ada", HOME);
        assert_eq!((0..4).map(|_| guess(&mut throttle, "ada", &mut now)).max(), Some(Duration::ZERO));
    }

    #[test]
    fn a_network_is_one_address() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let v6 = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last));
        assert_eq!((0..100).filter(|n| throttle.check("ada", v6(*n), now).is_ok()).count(), FREE_ATTEMPTS as usize);
        assert!(throttle.check("ada", IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1)), now).is_ok());
        for _ in 0..FREE_ATTEMPTS {
            throttle.check("bob", HOME, now).unwrap();
        }
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert!(throttle.check("bob", mapped, now).is_err());
    }

    #[test]
    fn memory_is_bounded_and_the_busy_are_remembered() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let mut now = start;
        for n in 0..50_000_u32 {
            now += Duration::from_millis(1);
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n));
            throttle.check(&"n".repeat(1 << 10), address, now).unwrap();
            if n % 100 == 0 {
                let _ = throttle.check("ada", HOME, now);
            }
            assert!(throttle.names.len() <= ENTRIES_MAX && throttle.addresses.len() <= ENTRIES_MAX);
        }
        assert!(throttle.names.contains_key(&key("ada", HOME)));
        assert!(throttle.names.keys().all(|(name, _)| name.len() <= 4 * NAME_CHARS_MAX));
        // All at one moment: still bounded.
        for n in 0..30_000_u32 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0b00_0000 + n));
            throttle.check("x", address, now).unwrap();
            assert!(throttle.names.len() <= ENTRIES_MAX);
        }
    }

    proptest! {
        /// Whatever comes in whatever order, also with clocks that go back: no panic, no wait beyond the longest, and who
        /// waits as told is let in.
        #[test]
        fn waits_end(steps in proptest::collection::vec((0..3_u8, 0..4_u8, 0..2000_u64), 1..200)) {
            let (mut throttle, start) = (Throttle::default(), Instant::now() + seconds(10_000));
            for (what, who, at) in steps {
                let (name, now) = (format!("user{who}"), start + seconds(at + 3 - u64::from(who)));
                match what {
                    0 => throttle.success(&name, HOME),
                    1 => throttle.failure(&name, HOME, now),
                    _ => if let Err(wait) = throttle.check(&name, HOME, now) {
                        prop_assert!(wait <= WAIT_MAX + seconds(300));
                    }
                }
            }
            let now = start + seconds(5000);
            if let Err(wait) = throttle.check("user1", HOME, now) {
                prop_assert!(throttle.check("user1", HOME, now + wait).is_ok());
            }
        }
    }
}
