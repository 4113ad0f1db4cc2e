//! From `--url` to the service: which endpoint is spoken, and whether prompts are messages.
//!
//! The rules are those of evalscope, with three differences that are told to the user: a missing scheme is `http`, a URL
//! without a path gets `/v1/…`, and a URL of an API that is not supported is refused.

use crestline_load::client::address::Address as Parts;
use crestline_load::client::endpoint::Endpoint;
use crestline_load::target::masked_url;
use crestline_workload::plan::PromptForm;

use crate::own;
use crate::perf::args::PerfArgs;
use crate::problem::Problem;

const CHAT: &str = "chat/completions";
const COMPLETIONS: &str = "completions";
const OTHER_APIS: [&str; 4] = ["responses", "embeddings", "reranks", "rerank"];

/// Where the load goes, and in which form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Address {
    /// What follows `sim:`, or the full URL.
    pub(crate) place: Place,
    pub(crate) endpoint: Endpoint,
    pub(crate) form: PromptForm,
}

/// A live service or the simulated engine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    Live(String),
    Virtual(String),
}

impl Address {
    /// The URL as files and tables show it, without secrets.
    pub(crate) fn shown(&self) -> String {
        match &self.place {
            Place::Live(url) => masked_url(url),
            Place::Virtual(profile) => format!("sim:{profile}"),
        }
    }

    /// Prompts are messages.
    pub(crate) fn is_chat(&self) -> bool {
        matches!(
            self.form,
            PromptForm::Chat | PromptForm::TokenIds { chat: true }
        )
    }
}

/// Resolves the URL; what was changed is added to `notes`.
pub(super) fn resolve(args: &PerfArgs, notes: &mut Vec<String>) -> Result<Address, Problem> {
    let is_own = own::api(&args.model.api).is_some();
    if !is_own {
        check_api(&args.model.api)?;
    }
    match args.connection.url.strip_prefix("sim:") {
        Some(_) if is_own => Err(Problem::usage(format!(
            "--api {} needs a service: in virtual time no body is sent and none is read",
            args.model.api
        ))
        .hint("give the --url of a service; `crestline sim` is one, on this machine")),
        Some(profile) => simulated(profile, args),
        None if is_own => own_live(args, notes),
        None => live(args, notes),
    }
}

fn check_api(api: &str) -> Result<(), Problem> {
    const LATER: [&str; 11] = [
        "local",
        "local_vllm",
        "openai_responses",
        "openai_response",
        "responses",
        "openai_embedding",
        "embedding",
        "openai_rerank",
        "rerank",
        "dashscope",
        "custom",
    ];
    if api == "openai" {
        return Ok(());
    }
    let problem = if LATER.contains(&api) {
        Problem::usage(format!("--api {api} is not supported yet"))
    } else {
        Problem::usage(format!("--api {api} is not known"))
    };
    Err(problem.hint("`--api openai` speaks chat/completions and completions"))
}

fn simulated(profile: &str, args: &PerfArgs) -> Result<Address, Problem> {
    if profile.is_empty() {
        return Err(Problem::usage("--url sim: names no profile").hint(
            "write sim:NAME with a name that `crestline sim --list` shows, or sim:FILE.toml",
        ));
    }
    let form = form(args, wanted(args).unwrap_or(Shape::Messages));
    let endpoint = match form {
        PromptForm::Chat => Endpoint::OpenAiChat,
        PromptForm::Text | PromptForm::TokenIds { .. } => Endpoint::OpenAiCompletions,
    };
    Ok(Address {
        place: Place::Virtual(profile.to_owned()),
        endpoint,
        form,
    })
}

fn live(args: &PerfArgs, notes: &mut Vec<String>) -> Result<Address, Problem> {
    let typed = &args.connection.url;
    let (base, query) = typed
        .split_once('?')
        .map_or((typed.as_str(), None), |(base, query)| (base, Some(query)));
    let base = with_path(with_scheme(base, &masked_url(typed))?)?;
    let by_url = match base.strip_suffix(CHAT) {
        Some(_) => Shape::Messages,
        None => Shape::Text,
    };
    let form = form(args, wanted(args).unwrap_or(by_url));
    let base = match base.strip_suffix(CHAT) {
        Some(stem) if args.prompt.tokenize_prompt || is_speed_benchmark(args) => {
            format!("{stem}{COMPLETIONS}")
        }
        _ => base,
    };
    let endpoint = if base.ends_with(CHAT) {
        Endpoint::OpenAiChat
    } else {
        Endpoint::OpenAiCompletions
    };
    check_form(form, endpoint, &masked_url(typed))?;
    let url = query.map_or(base.clone(), |query| format!("{base}?{query}"));
    if url != *typed {
        notes.push(format!(
            "--url {} is read as {}",
            masked_url(typed),
            masked_url(&url)
        ));
    }
    Ok(Address {
        place: Place::Live(url),
        endpoint,
        form,
    })
}

/// The URL of an API of the user's own, whatever its path is. Prompts are messages unless the path is that of completions.
fn own_live(args: &PerfArgs, notes: &mut Vec<String>) -> Result<Address, Problem> {
    let typed = &args.connection.url;
    let (base, query) = typed
        .split_once('?')
        .map_or((typed.as_str(), None), |(base, query)| (base, Some(query)));
    let base = with_scheme(base, &masked_url(typed))?;
    let is_text = base.ends_with(COMPLETIONS) && !base.ends_with(CHAT);
    let by_url = if is_text {
        Shape::Text
    } else {
        Shape::Messages
    };
    let shape = wanted(args).unwrap_or(by_url);
    let url = query.map_or(base.clone(), |query| format!("{base}?{query}"));
    if url != *typed {
        let (typed, url) = (masked_url(typed), masked_url(&url));
        notes.push(format!("--url {typed} is read as {url}"));
    }
    Ok(Address {
        place: Place::Live(url),
        endpoint: match shape {
            Shape::Messages => Endpoint::OpenAiChat,
            Shape::Text => Endpoint::OpenAiCompletions,
        },
        form: form(args, shape),
    })
}

/// What a prompt is before it becomes a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Messages,
    Text,
}

/// What the flags ask for; `None` leaves it to the URL.
fn wanted(args: &PerfArgs) -> Option<Shape> {
    if args.prompt.no_apply_chat_template || is_speed_benchmark(args) {
        Some(Shape::Text)
    } else if args.prompt.apply_chat_template {
        Some(Shape::Messages)
    } else {
        None
    }
}

fn is_speed_benchmark(args: &PerfArgs) -> bool {
    args.prompt.prompt.is_none() && args.prompt.dataset.starts_with("speed_benchmark")
}

fn form(args: &PerfArgs, shape: Shape) -> PromptForm {
    let chat = shape == Shape::Messages;
    match (args.prompt.tokenize_prompt, shape) {
        (true, _) => PromptForm::TokenIds { chat },
        (false, Shape::Messages) => PromptForm::Chat,
        (false, Shape::Text) => PromptForm::Text,
    }
}

fn with_scheme(base: &str, typed: &str) -> Result<String, Problem> {
    let full = match base.split_once("://") {
        None => format!("http://{base}"),
        Some(("http" | "https", _)) => base.to_owned(),
        Some((scheme, _)) => {
            return Err(Problem::usage(format!("--url {typed} cannot be used"))
                .cause(format!("its scheme is `{scheme}`"))
                .hint("write http://, https:// or sim:"));
        }
    };
    let authority = full
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    if authority.contains('@') {
        return Err(
            Problem::usage("--url must not hold a user name or password").hint(
                "the URL is written to files; send `--headers 'Authorization=Basic …'` instead",
            ),
        );
    }
    if authority.is_empty() || authority.contains(char::is_whitespace) {
        return Err(Problem::usage(format!("--url {typed} names no host"))
            .hint("write it as in http://127.0.0.1:8000/v1/chat/completions"));
    }
    let full = full.trim_end_matches('/').to_owned();
    match Parts::parse(&full) {
        Ok(_) => Ok(full),
        Err(error) => Err(Problem::usage(format!("--url {typed} cannot be used"))
            .because(&error)
            .hint("write it as in http://127.0.0.1:8000/v1/chat/completions")),
    }
}

/// Adds the endpoint's path where the URL has none.
fn with_path(base: String) -> Result<String, Problem> {
    if base.ends_with(COMPLETIONS) {
        return Ok(base);
    }
    if let Some(api) = OTHER_APIS.iter().find(|api| base.ends_with(*api)) {
        return Err(
            Problem::usage(format!("an API of `{api}` is not supported yet"))
                .cause(format!("--url is {base}"))
                .hint("use a URL that ends in /v1/chat/completions or /v1/completions"),
        );
    }
    let has_path = base
        .split("://")
        .nth(1)
        .is_some_and(|rest| rest.contains('/'));
    let version = if has_path { "" } else { "/v1" };
    Ok(format!("{base}{version}/{CHAT}"))
}

fn check_form(form: PromptForm, endpoint: Endpoint, typed: &str) -> Result<(), Problem> {
    match (form, endpoint) {
        (PromptForm::Text, Endpoint::OpenAiChat) => Err(Problem::usage(
            "--no-apply-chat-template does not fit the URL",
        )
        .cause(format!("--url {typed} takes messages, not plain text"))
        .hint("use a URL that ends in /v1/completions")),
        (PromptForm::Chat, Endpoint::OpenAiCompletions) => {
            Err(Problem::usage("--apply-chat-template does not fit the URL")
                .cause(format!("--url {typed} takes plain text, not messages"))
                .hint("use a URL that ends in /v1/chat/completions, or add --tokenize-prompt"))
        }
        _ => Ok(()),
    }
}
