//! What a caller wants of a job besides its content.

use crate::domain::flag::{Grounds, Organisation};
use crate::domain::lanes::Lane;
use crate::http::access::{Caller, FlagsAs};
use crate::http::problem::Problem;
use crate::http::routes::flags;
use crate::http::routes::options::{self, unknown, unusable};
use crate::http::state::AppState;
use crate::pipeline::Options;
use crate::worker::Order;

/// Characters of an idempotency key or a client's reference.
pub(super) const LONGEST_WORD: usize = 255;

const KNOWN: &str = "model, policy, frames, sampling, frame_scores, adaptive, region, lane, client_ref, callback_url";
const KNOWN_OF_FLAGS: &str = "model, policy, frames, sampling, frame_scores, adaptive, region, client_ref, callback_url, organisation, case_ref, reason, content_url";

/// By which route a job comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::routes) enum Door {
    /// `/v1/jobs`
    Jobs,
    /// `/v1/flags`
    Flags,
}

/// A flag as it is asked for: the key may say more about who flags.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Flagging {
    pub(super) organisation: Option<Organisation>,
    pub(super) grounds: Grounds,
}

/// What a caller wants of a job besides its content.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wishes {
    pub(super) options: Options,
    pub(super) lane: Lane,
    client_ref: Option<String>,
    pub(super) callback_url: Option<String>,
    flag: Option<(Organisation, Grounds)>,
}

/// The same, as it was read and before it is checked.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) options: Options,
    pub(super) lane: Option<Lane>,
    pub(super) client_ref: Option<String>,
    pub(super) callback_url: Option<String>,
    /// Of a flag.
    pub(super) flag: Option<Flagging>,
}

impl Asked {
    /// From the query of a request with an upload.
    pub(super) fn read(query: &str, door: Door) -> Result<Self, Problem> {
        let mut asked = Self::default();
        let mut flag = Flagging::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*key, door) {
                ("client_ref", _) => asked.client_ref = Some(value.into_owned()),
                ("callback_url", _) => asked.callback_url = Some(value.into_owned()),
                ("lane", Door::Jobs) => asked.lane = Some(super::lane(&value)?),
                ("organisation", Door::Flags) => {
                    flag.organisation = Some(flags::organisation(&value)?);
                }
                ("case_ref", Door::Flags) => flag.grounds.case_ref = Some(value.into_owned()),
                ("reason", Door::Flags) => flag.grounds.reason = Some(value.into_owned()),
                ("content_url", Door::Flags) => flag.grounds.content_url = Some(value.into_owned()),
                _ if options::read(&mut asked.options, &key, &value)? => {}
                (other, Door::Jobs) => return Err(unknown(other, KNOWN)),
                (other, Door::Flags) => return Err(unknown(other, KNOWN_OF_FLAGS)),
            }
        }
        asked.flag = (door == Door::Flags).then_some(flag);
        Ok(asked)
    }

    /// Checks what doesn't need the models. Nobody gets ahead of others by asking for it: the lane is
    /// the caller's own, or backfill, or that of flags for whoever may flag.
    pub(super) fn checked(self, caller: &Caller) -> Result<Wishes, Problem> {
        let own = caller.lane;
        let lane = match (&self.flag, self.lane) {
            (Some(_), _) => Lane::Flagger,
            (None, lane) => lane.unwrap_or(own),
        };
        if self.flag.is_none() && lane != own && lane != Lane::Backfill {
            return Err(unusable("lane", "the key's own or backfill"));
        }
        let flag = self.flag.map(|flag| flagged(flag, &caller.flags_as));
        Ok(Wishes {
            options: self.options,
            lane,
            client_ref: checked_word("client_ref", self.client_ref)?,
            callback_url: self.callback_url,
            flag: flag.transpose()?,
        })
    }
}

/// A caller's own word, if it has the form of one.
pub(in crate::http::routes) fn checked_word(
    key: &str,
    word: Option<String>,
) -> Result<Option<String>, Problem> {
    let is_long =
        |word: &String| word.chars().count() > LONGEST_WORD || word.chars().any(char::is_control);
    if word.as_ref().is_some_and(is_long) {
        return Err(unusable(key, "at most 255 printable characters"));
    }
    Ok(word)
}

/// In whose name a flag comes, and with which words.
fn flagged(flag: Flagging, may: &FlagsAs) -> Result<(Organisation, Grounds), Problem> {
    let organisation = match (may, flag.organisation) {
        (FlagsAs::Nobody, _) => return Err(flags::nobody()),
        (FlagsAs::One(own), Some(named)) if *own != named => {
            return Err(flags::another(own));
        }
        (FlagsAs::One(own), _) => own.clone(),
        (FlagsAs::Anyone, Some(named)) => named,
        (FlagsAs::Anyone, None) => {
            return Err(unusable("organisation", "there, as this key has none"));
        }
    };
    let valid = flag.grounds.validate();
    valid.map_err(|error| unusable(error.key, error.expected))?;
    Ok((organisation, flag.grounds))
}

impl Wishes {
    /// Whether the callback, if there is one, may be called.
    pub(super) async fn check_callback(&self, state: &AppState) -> Result<(), Problem> {
        if let Some(url) = &self.callback_url {
            super::callbacks::checked(state.sender()?, url).await?;
        }
        Ok(())
    }

    pub(super) fn order(
        self,
        caller: &Caller,
        idempotency_key: Option<String>,
    ) -> Result<Order, Problem> {
        Ok(Order {
            owner: caller.owner.to_string(),
            lane: self.lane,
            wishes: serde_json::to_string(&self.options).map_err(|_| Problem::internal())?,
            client_ref: self.client_ref,
            callback_url: self.callback_url,
            idempotency_key,
            flag: self.flag,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(query: &str, door: Door, caller: &Caller) -> Result<Wishes, Problem> {
        Asked::read(query, door)?.checked(caller)
    }

    fn caller(lane: Lane, flags_as: FlagsAs) -> Caller {
        Caller {
            lane,
            flags_as,
            ..Caller::default()
        }
    }

    #[test]
    fn a_lane_can_only_be_given_up() {
        let lane = |query, own| {
            let caller = caller(own, FlagsAs::Nobody);
            wishes(query, Door::Jobs, &caller).map(|wishes| wishes.lane)
        };
        assert_eq!(lane("", Lane::Flagger).unwrap(), Lane::Flagger);
        assert_eq!(lane("lane=backfill", Lane::Live).unwrap(), Lane::Backfill);
        assert_eq!(lane("lane=live", Lane::Live).unwrap(), Lane::Live);
        let refused = lane("lane=flagger", Lane::Live).unwrap_err();
        assert_eq!(refused.code(), "bad_request");
    }

    #[test]
    fn words_have_their_bounds() {
        let long = format!("client_ref={}", "x".repeat(256));
        for bad in [long.as_str(), "client_ref=a%0Ab", "client=a", "reason=x"] {
            assert!(
                wishes(bad, Door::Jobs, &Caller::default()).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn nobody_flags_in_the_name_of_another() {
        let own = || FlagsAs::One("kpu".parse().unwrap());
        let by = |query, flags_as| {
            let wishes = wishes(query, Door::Flags, &caller(Lane::Live, flags_as))?;
            let (organisation, _) = wishes.flag.ok_or_else(Problem::internal)?;
            Ok::<_, Problem>((organisation.to_string(), wishes.lane))
        };
        let kpu = ("kpu".to_owned(), Lane::Flagger);
        assert_eq!(by("reason=x", own()).unwrap(), kpu);
        assert_eq!(by("organisation=kpu", own()).unwrap(), kpu);
        assert_eq!(by("organisation=kpu", FlagsAs::Anyone).unwrap(), kpu);
        for (query, flags_as, code) in [
            ("organisation=watch", own(), "forbidden"),
            ("organisation=kpu", FlagsAs::Nobody, "forbidden"),
            ("", FlagsAs::Anyone, "bad_request"),
            ("organisation=K", FlagsAs::Anyone, "bad_request"),
            ("lane=backfill", own(), "bad_request"),
            ("content_url=file:///etc", own(), "bad_request"),
        ] {
            assert_eq!(by(query, flags_as).unwrap_err().code(), code, "{query}");
        }
    }
}
