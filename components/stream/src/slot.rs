//! One open stream, as the others of its instance see it.

use crate::options::{Options, PROBE, UNREAD, WAITING_BYTES};
use crate::sse::{self, Ids};
use crate::visit::Visit;
use common::auth::{Actor, Principal};
use common::time::Timestamp;
use domain::livechat::feed::Piece;
use domain::unread::UnreadSummary;
use domain::updates::{Event, Kind, Sight, Update};
use domain::visibility;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Whose places customers of a tenant take.
pub fn visitors_of(tenant: &str) -> String {
    format!("{tenant}/visitors")
}

/// What a client asked to hear of.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The identity of the only conversation.
    pub conversation: Option<i64>,
    /// `None`: everything.
    pub kinds: Option<BTreeSet<Kind>>,
}

impl Filter {
    fn takes(&self, kind: Kind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }
}

/// What agents see of a batch, by tenant and agent.
pub type Sights = BTreeMap<(String, String), Sight>;

/// Who listens.
pub enum Who {
    Caller(Principal),
    Visitor(Box<Visit>),
}

pub struct Slot {
    pub tenant: String,
    /// `usr_…` or `svc_…`; empty for a live-chat customer.
    pub person: String,
    /// A live-chat customer reads their side of the feed themselves.
    pub visit: Option<Box<Visit>>,
    pub place: i64,
    pub filter: Filter,
    pub ids: Ids,
    options: Options,
    state: Mutex<State>,
}

pub struct State {
    /// As it was checked last; `None` for a live-chat customer.
    pub caller: Option<Principal>,
    /// As [`visibility::viewer`] says.
    pub viewer: Option<String>,
    /// Whether the instance's look at the feed serves it. Otherwise it reads the feed itself.
    pub live: bool,
    /// The last row that was told or passed over.
    pub position: i64,
    /// What waits for the client.
    out: String,
    heartbeat_at: Timestamp,
    probe_at: Timestamp,
    check_at: Timestamp,
    ends_at: Option<Timestamp>,
    now: Timestamp,
    waker: Option<Waker>,
    /// Something happened that may change the person's count; it is asked at most so often.
    unread_asked: bool,
    unread_at: Timestamp,
    unread_told: Option<i64>,
}

/// What a stream does next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Gives the client this; nothing at all finds out whether it is still there.
    Tell(String),
    /// Checks the credential again.
    Check,
    /// Reads what it has not told yet.
    CatchUp,
    /// Counts the person's unread messages.
    CountUnread,
    End,
    Wait,
}

impl Slot {
    pub fn new(
        who: Who,
        place: i64,
        mut filter: Filter,
        options: Options,
        position: i64,
        ends_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Arc<Self> {
        let (caller, visit) = match who {
            Who::Caller(caller) => (Some(caller), None),
            Who::Visitor(visit) => (None, Some(visit)),
        };
        if let Some(visit) = &visit {
            filter.conversation = Some(visit.identity_seq());
        }
        let is_person = caller.as_ref().is_some_and(|caller| matches!(caller.actor, Actor::User(_)));
        let tenant = caller.as_ref().map(|caller| caller.tenant.as_str());
        let tenant = tenant.or(visit.as_ref().map(|visit| visit.tenant())).unwrap_or_default().to_string();
        let person = caller.as_ref().map_or("", |caller| caller.actor.id()).to_string();
        let state = State {
            unread_asked: is_person && filter.conversation.is_none() && filter.takes(Kind::Unread),
            unread_at: now,
            unread_told: None,
            viewer: caller.as_ref().and_then(visibility::viewer).map(str::to_string),
            caller,
            live: false,
            position,
            out: String::new(),
            heartbeat_at: now.after(options.heartbeat),
            probe_at: now.after(PROBE),
            check_at: now.after(options.recheck),
            ends_at,
            now,
            waker: None,
        };
        Arc::new(Slot {
            ids: Ids::of(&tenant),
            tenant,
            person,
            visit,
            place,
            filter,
            options,
            state: Mutex::new(state),
        })
    }

    /// Whose limit of open streams it counts against: customers do not use up the places of a workspace's people.
    pub fn places(&self) -> String {
        if self.visit.is_some() { visitors_of(&self.tenant) } else { self.tenant.clone() }
    }

    /// Nobody holds it across an await, and an instance has one thread: it never waits.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event of the stream itself before the client.
    pub fn say(&self, kind: &str, data: &str) {
        let mut state = self.state();
        let id = self.ids.encode(state.position);
        sse::event(&mut state.out, &id, kind, data);
    }

    /// Puts the first event before the client.
    pub fn greet(&self, resumed: bool) {
        sse::retry(&mut self.state().out, crate::options::RETRY_MS);
        let id = self.ids.encode(self.state().position);
        self.say("ready", &format!(r#"{{"lastEventId":"{id}","resumed":{resumed}}}"#));
    }

    /// Whether a row may concern this client: what concerns nobody is not even read.
    pub fn wants(&self, update: &Update) -> bool {
        if update.tenant != self.tenant || update.seq <= self.state().position {
            return false;
        }
        match update.kind {
            Kind::Scope => update.person.as_deref() == Some(&self.person),
            Kind::Unread => self.counts_unread() && update.person.as_deref() == Some(&self.person),
            Kind::MessageUpdated => self.is_asked_for(update),
            Kind::MessageReleased => false,
            _ => self.counts_unread() || self.is_asked_for(update),
        }
    }

    fn is_asked_for(&self, update: &Update) -> bool {
        let kind = update.kind;
        self.filter.conversation.is_none_or(|own| Some(own) == update.identity_seq)
            && (self.filter.takes(kind)
                || kind == Kind::ConversationUpdated && self.filter.takes(Kind::ConversationRemoved))
    }

    /// Whether the client hears of the person's count. Software has none.
    fn counts_unread(&self) -> bool {
        self.person.starts_with("usr_")
            && self.filter.conversation.is_none()
            && self.filter.takes(Kind::Unread)
    }

    /// Puts events before the client, in their order, up to the row that they were read to. A client that has not
    /// taken what waits for it is served from the feed later.
    pub fn deliver(&self, events: &[Event], sights: &Sights, upto: i64) {
        let mut state = self.state();
        if self.visit.is_some() {
            // It is not told what we see: it reads its own side when something of it has changed.
            let concerns = |event: &Event| {
                event.seq > state.position
                    && event.tenant == self.tenant
                    && event.identity_seq == self.filter.conversation
            };
            if events.iter().any(concerns) {
                state.live = false;
                state.wake();
            } else {
                state.position = state.position.max(upto);
            }
            return;
        }
        let own = events.iter().filter(|event| event.tenant == self.tenant);
        for event in own {
            if event.seq <= state.position {
                continue;
            }
            if state.live && state.out.len() >= WAITING_BYTES {
                state.live = false;
                state.wake();
                return;
            }
            self.take(&mut state, event, sights);
            state.position = event.seq;
        }
        state.position = state.position.max(upto);
        if state.has_work() {
            state.wake();
        }
    }

    /// Puts a customer's side of the feed before them.
    pub fn tell(&self, piece: &Piece) {
        let mut state = self.state();
        for told in &piece.told {
            let id = self.ids.encode(told.seq);
            sse::event(&mut state.out, &id, &told.name, &told.data);
        }
        state.position = state.position.max(piece.upto);
    }

    fn take(&self, state: &mut State, event: &Event, sights: &Sights) {
        // All that happens to conversations may count, also what is out of sight by now. Asking is cheap, and
        // only a count that differs is told.
        state.unread_asked |= self.counts_unread() && event.kind != Kind::MessageUpdated;
        match event.kind {
            Kind::Scope => {
                if event.person.as_deref() == Some(&self.person) {
                    // The check says whether a role has changed too.
                    state.check_at = state.now;
                    if state.viewer.is_some() {
                        let id = self.ids.encode(event.seq);
                        sse::event(&mut state.out, &id, "reset", RESET_SCOPE);
                    }
                    state.wake();
                }
            }
            Kind::Unread | Kind::MessageReleased => {}
            _ => {
                if self.filter.conversation.is_some_and(|own| Some(own) != event.identity_seq) {
                    return;
                }
                let sight = match &state.viewer {
                    None => None,
                    // Not looked up: nothing is visible.
                    Some(viewer) => match sights.get(&(self.tenant.clone(), viewer.clone())) {
                        Some(sight) => Some((viewer.as_str(), sight)),
                        None => return,
                    },
                };
                if let Some((kind, data)) = event.told_to(sight)
                    && self.filter.takes(kind)
                {
                    let id = self.ids.encode(event.seq);
                    sse::event(&mut state.out, &id, kind.name(), data);
                }
            }
        }
    }

    /// Lets time pass.
    pub fn tick(&self, now: Timestamp) {
        let mut state = self.state();
        state.now = now;
        if state.has_work() {
            state.wake();
        }
    }

    /// What to do next.
    pub fn step(&self) -> Step {
        let mut state = self.state();
        if !state.out.is_empty() {
            state.heartbeat_at = state.now.after(self.options.heartbeat);
            state.probe_at = state.now.after(PROBE);
            return Step::Tell(std::mem::take(&mut state.out));
        }
        if state.ends_at.is_some_and(|end| end <= state.now) && state.live && !state.counts_now() {
            return Step::End;
        }
        if state.check_at <= state.now {
            return Step::Check;
        }
        if !state.live {
            return Step::CatchUp;
        }
        if state.counts_now() {
            state.unread_asked = false;
            state.unread_at = state.now.after(UNREAD);
            return Step::CountUnread;
        }
        if state.heartbeat_at <= state.now {
            let mut text = String::new();
            sse::heartbeat(&mut text, &self.ids.encode(state.position));
            state.heartbeat_at = state.now.after(self.options.heartbeat);
            state.probe_at = state.now.after(PROBE);
            return Step::Tell(text);
        }
        if state.probe_at <= state.now {
            state.probe_at = state.now.after(PROBE);
            return Step::Tell(String::new());
        }
        Step::Wait
    }

    /// The count was not to be had: it is asked for again, a little later.
    pub fn count_again(&self) {
        self.state().unread_asked = true;
    }

    /// The credential is still good, for this caller.
    pub fn checked(&self, caller: &Principal) {
        let mut state = self.state();
        state.check_at = Timestamp::now().after(self.options.recheck);
        let viewer = visibility::viewer(caller).map(str::to_string);
        let has_changed = state.viewer != viewer;
        state.viewer = viewer;
        state.caller = Some(caller.clone());
        drop(state);
        if has_changed {
            self.say("reset", RESET_SCOPE);
        }
    }

    /// A customer's token is still good.
    pub fn admitted(&self) {
        self.state().check_at = Timestamp::now().after(self.options.recheck);
    }

    /// The person's count, told when it differs from what was told last.
    pub fn counted(&self, unread: UnreadSummary) {
        let mut state = self.state();
        if state.unread_told.replace(unread.unread_count) == Some(unread.unread_count) {
            return;
        }
        drop(state);
        let (count, version) = (unread.unread_count, unread.version);
        self.say(Kind::Unread.name(), &format!(r#"{{"unreadCount":{count},"version":{version}}}"#));
    }

    /// It could not be checked now: again in a while.
    pub fn unchecked(&self, wait: std::time::Duration) {
        self.state().check_at = Timestamp::now().after(wait);
    }
}

/// What the caller may see has changed.
const RESET_SCOPE: &str = r#"{"reason":"scope"}"#;
/// The feed no longer holds what came after the client's id.
pub const RESET_EXPIRED: &str = r#"{"reason":"expired"}"#;

impl State {
    fn counts_now(&self) -> bool {
        self.unread_asked && self.unread_at <= self.now
    }

    /// Whether there is something to do.
    pub fn has_work(&self) -> bool {
        !self.out.is_empty()
            || !self.live
            || self.counts_now()
            || self.check_at <= self.now
            || self.heartbeat_at <= self.now
            || self.probe_at <= self.now
            || self.ends_at.is_some_and(|end| end <= self.now)
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether there is something to do; otherwise `waker` is called when there is.
    pub fn poll(&mut self, waker: &Waker) -> bool {
        if self.has_work() {
            return true;
        }
        self.waker = Some(waker.clone());
        false
    }

    /// Takes the waker of a stream that waits.
    pub fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }
}
