import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema

/// Ends what a request has stored. Storing commits the rows, the key and what will be told; then
/// Inventory is asked while the key is held, so that a twin waits; the answer is kept with the mark
/// that Inventory has it. What breaks off in between is taken up by the same request again, or by
/// ``SchedulePublisher``.
struct Completion: Sendable {
    let publication: Publication
    let pool: PostgresPool
    let use: IdempotencyTable.Use?

    static let timeout = Publication.timeout + .seconds(4)

    /// - Parameters:
    ///   - store: tells what was stored, now or when the key was used first.
    ///   - end: nil when what was stored has been taken back, and the key with it.
    func run<Response: Message>(
        storing store: () async throws -> Response, _ end: (Response) async throws -> Response?
    ) async throws -> Response {
        while true {
            if let told = try await end(try await store()) { return told }
            guard use != nil else { throw Publication.takenBack }
            try Task.checkCancellation()
        }
    }

    func course(
        _ told: ScheduleV1.CreateCourseResponse
    ) async throws -> ScheduleV1.CreateCourseResponse? {
        try await held(told) { told, transaction in
            let id = told.course.flatMap { UUID($0.id) } ?? .random()
            let known = try await publication.courses.find(.id(id), transaction)
            guard let known else { return .takenBack }
            if known.isPublished { return .told(told) }
            if let refusal = try await publication.ask(known.course) {
                return .refused(refusal, [CourseStore.removeUnpublished(id)])
            }
            guard try await transaction.execute(CourseStore.markPublished(id)) == 1 else {
                throw Publication.takenBack
            }
            return .told(told)
        }
    }

    /// - Parameters:
    ///   - ids: of the class schedules that an answer tells of.
    ///   - leaveOut: takes out of the answer what does not take place.
    func schedules<Response: Message>(
        _ told: Response, _ ids: (Response) -> [UUID],
        leavingOut leaveOut: (inout Response, Publication.Skipped) -> Void
    ) async throws -> Response? {
        try await held(told) { told, transaction in
            let ids = ids(told)
            let (open, published) = try await publication.schedules.state(of: ids, transaction)
            if published.count == ids.count { return .told(told) }
            if open.isEmpty, published.isEmpty { return .takenBack }
            var skipped: Publication.Skipped
            switch try await publication.ask(open) {
            case .success(let left): skipped = left
            case .failure(let refusal):
                return .refused(
                    refusal, [ClassScheduleStore.removeUnpublished(open.map(\.schedule.id))])
            }
            try await publication.mark(open, without: skipped, transaction)
            // The publisher may have been there first.
            skipped.ids.formUnion(
                Set(ids).subtracting(published).subtracting(open.map(\.schedule.id)))
            var told = told
            if !skipped.ids.isEmpty { leaveOut(&told, skipped) }
            return .told(told)
        }
    }

    private enum Ending<Response: Sendable>: Sendable {
        case told(Response)
        /// Nothing of it is left.
        case takenBack
        /// These take it back.
        case refused(RPCError, [SQL])
    }

    /// Can be repeated: whatever became of its COMMIT, it finds out.
    private func held<Response: Message>(
        _ told: Response, _ body: (Response, PostgresTransaction) async throws -> Ending<Response>
    ) async throws -> Response? {
        let deadline = Deadline.after(Self.timeout)
        let ending = try await IdempotencyTable.settling(on: pool, deadline: deadline) { deadline in
            try await pool.transaction(deadline: deadline) { transaction in
                guard let use else {
                    let ending = try await body(told, transaction)
                    if case .refused(_, let removals) = ending {
                        try await transaction.commit(with: removals)
                    }
                    return ending
                }
                let answers = try await IdempotencyTable.hold(use, transaction)
                guard let kept = answers.stored(for: use)?.response else { return .takenBack }
                let ending = try await body(try Response(decoding: kept), transaction)
                let release = IdempotencyTable.release(use)
                switch ending {
                case .told(let told):
                    let response = told.encoded()
                    if response != kept {
                        try await transaction.commit(with: [
                            IdempotencyTable.store(response, for: use)
                        ])
                    }
                case .takenBack: try await transaction.commit(with: [release])
                case .refused(_, let removals):
                    try await transaction.commit(with: removals + [release])
                }
                return ending
            }
        }
        publication.committed()
        switch ending {
        case .told(let told): return told
        case .takenBack: return nil
        case .refused(let refusal, _): throw refusal
        }
    }
}
