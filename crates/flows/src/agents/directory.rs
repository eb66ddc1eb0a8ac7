use portcullis_audit::{Action, Actor};
use portcullis_identity::{Agent, Description, DisplayName, Profile, Tags, Visibility};
use portcullis_kernel::{AgentId, Field, Origin, Page, Slice, codes};
use portcullis_storage::StorageExt;

use super::{InvalidInput, Judge, MissingAgent, SliceInput};
use crate::{Engine, Fault, error::classify};

/// Rows looked at in one step of a search.
const STEP: u32 = 200;
/// Steps of one search at most: what lies beyond is found by going on from the cursor.
const MOST_STEPS: u32 = 5;
/// The longest text to search for, in characters.
const MOST_CHARS: usize = 100;

/// Why a profile was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The agent was erased a moment ago.
    #[error("No such agent.")]
    NotFound,
    /// Nobody answers for what it would show to everybody.
    #[error("visibility cannot be \"public\" before a person has claimed this agent.")]
    Unclaimed,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ProfileError {
    Self::NotFound => (NotFound, NOT_FOUND),
    Self::Unclaimed => (Forbidden, FORBIDDEN),
} via { Fault });

/// A change of a profile as it came in: what is absent stays, `null` clears.
#[derive(Clone, Debug, Default)]
pub struct ProfileInput {
    /// The name shown to others.
    pub display_name: Option<Field<String>>,
    /// What the agent is for.
    pub description: Option<Field<String>>,
    /// Words to find it by.
    pub tags: Option<Field<Vec<String>>>,
    /// Who may see it.
    pub visibility: Option<Field<String>>,
}

/// A change of a profile that keeps every rule.
#[derive(Clone, Debug, Default)]
#[allow(clippy::option_option, reason = "absent keeps what there is, none clears it")]
pub struct ProfileChange {
    display_name: Option<Option<DisplayName>>,
    description: Option<Option<Description>>,
    tags: Option<Tags>,
    visibility: Option<Visibility>,
}

/// A question to the directory as it came in.
#[derive(Clone, Debug, Default)]
pub struct DirectoryInput {
    /// A text that the name, the shown name, the description or a tag contains.
    pub q: Field<String>,
    /// Which part of the answer.
    pub slice: SliceInput,
}

impl ProfileInput {
    /// Judges the change.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check(self) -> Result<ProfileChange, InvalidInput> {
        let mut judge = Judge::default();
        let code = codes::VALIDATION_ERROR;
        let change = ProfileChange {
            display_name: self.display_name.map(|field| {
                judge.optional("display_name", code, field, |raw| DisplayName::parse(&raw))
            }),
            description: self.description.map(|field| {
                let parse = |raw: String| Description::parse(&raw);
                judge.optional("description", code, field, parse).flatten()
            }),
            tags: self.tags.map(|field| {
                judge.optional("tags", code, field, |raw| Tags::parse(&raw)).unwrap_or_default()
            }),
            visibility: self.visibility.map(|field| {
                let parse = |raw: String| Visibility::from_name(&raw);
                judge.optional("visibility", code, field, parse).unwrap_or_default()
            }),
        };
        judge.finish(Some(change))
    }
}

impl ProfileChange {
    fn applied_to(self, profile: Profile) -> Profile {
        Profile {
            display_name: self.display_name.unwrap_or(profile.display_name),
            description: self.description.unwrap_or(profile.description),
            tags: self.tags.unwrap_or(profile.tags),
            visibility: self.visibility.unwrap_or(profile.visibility),
        }
    }
}

impl DirectoryInput {
    /// The text to search for, folded, and the part of the answer that is wanted.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken parameter.
    pub fn check(self) -> Result<(Option<String>, Slice<AgentId>), InvalidInput> {
        let mut judge = Judge::default();
        let q = judge.optional("q", codes::VALIDATION_ERROR, self.q, |raw| {
            let text = raw.trim().to_lowercase();
            let fits = text.chars().count() <= MOST_CHARS;
            if fits { Ok(text) } else { Err("must be at most 100 characters") }
        });
        let slice = self.slice.judge(&mut judge);
        judge.finish(Some((q.filter(|text| !text.is_empty()), slice)))
    }
}

impl Engine {
    /// Changes what the directory shows of an agent, and gives the agent as it is then.
    ///
    /// # Errors
    /// [`ProfileError`]; nothing is then changed.
    pub fn change_agent_profile(
        &self,
        agent: AgentId,
        change: &ProfileChange,
        origin: &Origin,
    ) -> Result<Agent, ProfileError> {
        let now = self.now();
        let actor = Actor::Agent(agent);
        let event = self.event(Action::AgentProfileChanged, actor, origin, now);
        let event = event.map_err(Fault::from)?;
        self.storage.transact(|uow| -> Result<_, Fault> {
            let Some(mut agent) = uow.agents().lock(agent)? else {
                return Ok(Err(ProfileError::NotFound));
            };
            let profile = change.clone().applied_to(agent.profile.clone());
            if profile.visibility == Visibility::Public && agent.is_unclaimed() {
                return Ok(Err(ProfileError::Unclaimed));
            }
            if profile != agent.profile {
                agent.profile = profile;
                uow.agents().update(&agent)?;
                uow.audit().append(&event)?;
            }
            Ok(Ok(agent))
        })?
    }

    /// An agent with a public profile, named by its id.
    ///
    /// # Errors
    /// [`MissingAgent::NotFound`], also when its profile is private.
    pub fn find_public_agent(&self, id: &str) -> Result<Agent, MissingAgent> {
        let id: AgentId = id.parse().map_err(|_| MissingAgent::NotFound)?;
        let found = self.storage.read(|uow| uow.agents().find(id)).map_err(Fault::from)?;
        found.filter(is_public).ok_or(MissingAgent::NotFound)
    }

    /// Agents with public profiles, newest first. A search looks at a bounded number of them: an answer
    /// may hold fewer rows than asked for, or none, and still tell where to go on.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_directory(
        &self,
        text: Option<&str>,
        slice: &Slice<AgentId>,
    ) -> Result<Page<Agent>, Fault> {
        let Some(text) = text else {
            return Ok(self.storage.read(|uow| uow.agents().list_public(slice))?);
        };
        let wanted = usize::try_from(slice.limit).unwrap_or(usize::MAX);
        let mut page = Page { items: Vec::new(), next: None };
        let mut after = slice.after;
        for _ in 0..MOST_STEPS {
            let step = Slice { after, limit: STEP };
            let looked_at = self.storage.read(|uow| uow.agents().list_public(&step))?;
            for agent in looked_at.items {
                let place = portcullis_kernel::Place { at: agent.created_at, id: agent.id };
                if matches(&agent, text) {
                    if page.items.len() == wanted {
                        return Ok(page);
                    }
                    page.items.push(agent);
                }
                page.next = Some(place.cursor());
                after = Some(place);
            }
            if looked_at.next.is_none() {
                page.next = None;
                return Ok(page);
            }
        }
        Ok(page)
    }
}

fn is_public(agent: &Agent) -> bool {
    agent.is_active() && agent.profile.visibility == Visibility::Public
}

fn matches(agent: &Agent, text: &str) -> bool {
    let profile = &agent.profile;
    let shown = profile.display_name.as_ref().map(DisplayName::as_str);
    let description = profile.description.as_ref().map(Description::as_str);
    let tags = profile.tags.as_slice().iter().map(String::as_str);
    let texts = [Some(agent.name.as_str()), shown, description].into_iter().flatten().chain(tags);
    texts.into_iter().any(|part| part.to_lowercase().contains(text))
}
