//! How a request ends that no upstream answers: with a response of our own, or with none.

use bytes::Bytes;
use pingora_error::Result;
use pingora_proxy::Session;

use super::{Exchange, Proxy, grpc, session};
use crate::{
    access_log::Verdict,
    admission, blocks,
    gate::{self, Gate},
    protection::{Protection, Shed},
    refusal::{self, Answer},
    strict,
};

impl Proxy {
    /// Writes a response of our own and ends the phases.
    pub(super) async fn respond(session: &mut Session, answer: Answer) -> Result<bool> {
        // In a box, like all that few requests need: every request carries what stands in the future of its phase.
        Box::pin(Self::write(session, answer)).await
    }

    async fn write(session: &mut Session, answer: Answer) -> Result<bool> {
        if answer.header.status.as_u16() >= 400 && grpc::is_call(session.req_header()) {
            grpc::respond(session, &answer)?;
            return Ok(true);
        }
        let empty = answer.body.is_empty() || session.req_header().method == http::Method::HEAD;
        session.write_response_header(answer.header, empty).await?;
        if !empty {
            session
                .write_response_body(Some(Bytes::from(answer.body)), true)
                .await?;
        } else if session.as_downstream().is_http2() {
            // A stream that ends with an error is not finished by the engine.
            session.write_response_body(None, true).await?;
        }
        Ok(true)
    }

    /// Ends the request of a client that did not wait for its turn.
    pub(super) async fn left(session: &mut Session, ctx: &mut Exchange) -> Result<bool> {
        ctx.error = Some("the client left while it waited for its turn");
        if let Some(pass) = ctx.pass.take() {
            pass.refund();
        }
        session.shutdown().await;
        Ok(true)
    }

    /// Turns away whom a gate does not let in.
    pub(super) async fn kept_out(
        session: &mut Session,
        ctx: &mut Exchange,
        gate: &Gate,
        refused: gate::Refused,
    ) -> Result<bool> {
        ctx.verdict = Verdict::Gate;
        ctx.error = Some(refused.word());
        Self::respond(session, gate::answer(gate, refused)?).await
    }

    /// Refuses what is no proper request. The connection ends: nobody knows where the next one would begin.
    pub(super) async fn malformed(
        &self,
        session: &mut Session,
        ctx: &mut Exchange,
        fault: strict::Fault,
    ) -> Result<bool> {
        ctx.verdict = Verdict::Malformed;
        ctx.error = Some(fault.what);
        self.host.stats.requests.malformed.one();
        session.set_keepalive(None);
        if let Some(progress) = &ctx.progress {
            progress.unsettle();
        }
        Self::respond(session, refusal::plain(fault.status, fault.what)?).await
    }

    /// Turns a request away that the machine has no time for. The client did nothing wrong: its connection stays.
    pub(super) async fn shed(
        session: &mut Session,
        ctx: &mut Exchange,
        protection: &Protection,
        shed: Shed,
    ) -> Result<bool> {
        ctx.verdict = Verdict::Shed;
        ctx.shed = Some(shed);
        let wants_json = session::wants_json(session.req_header());
        Self::respond(session, protection.answers().to(shed, wants_json)?).await
    }

    /// Turns a request away that a limit refuses, and the client behind it when that was once too often.
    pub(super) async fn refused(
        &self,
        session: &mut Session,
        ctx: &mut Exchange,
        refusal: admission::Refusal,
    ) -> Result<bool> {
        ctx.verdict = Verdict::Refused;
        ctx.refused_by = Some(refusal.limit);
        if let Some(pass) = ctx.pass.take() {
            pass.refund();
        }
        let limit = ctx.generation.limit(refusal.limit);
        let blocked = ctx.client.as_ref().and_then(|client| {
            let connection = ctx.connection.as_ref().map(|connection| connection.id);
            blocks::strike(
                &self.host,
                &ctx.generation,
                limit,
                client,
                connection,
                ctx.begun,
            )
        });
        if blocked.is_some() {
            // From the next packet on nothing of this client comes through; keeping its connection is keeping a corpse.
            session.set_keepalive(None);
            if let Some(progress) = &ctx.progress {
                progress.be_last();
            }
        }
        let answer = refusal::by_limit(
            &ctx.generation,
            &refusal,
            session::wants_json(session.req_header()),
        )?;
        Self::respond(session, answer).await
    }
}
