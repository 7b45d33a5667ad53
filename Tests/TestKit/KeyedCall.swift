public import Protobuf
public import RPC

/// One mutation that is asked under one key as often and as badly as it may happen.
public struct KeyedCall: Sendable {
    struct Answer: Sendable, Hashable {
        let bytes: [UInt8]
        let isReplayed: Bool
    }

    /// As in the contracts: `janji.booking.v1.Catalogue/SaveLocation`.
    public let name: String
    /// What is done once: queries with what they must answer afterwards.
    private let once: [(sql: String, answer: String)]
    private let call: @Sendable (_ key: String, _ isOther: Bool) async throws -> Answer

    /// - Parameters:
    ///   - context: of one call, with its caller.
    ///   - other: makes another request of it, which could be done as well.
    public init<Request: Message, Response: Message>(
        _ method: MethodDescriptor, once: [(String, String)] = [],
        _ context: @escaping @Sendable (MethodDescriptor) -> ServerContext,
        _ request: Request, key: any WritableKeyPath<Request, String?> & Sendable,
        other: @escaping @Sendable (inout Request) -> Void,
        _ body: @escaping @Sendable (Request, ServerContext) async throws -> Response
    ) {
        self.init(
            method, once, context, request, { $0[keyPath: key] = $1 }, other: other, body)
    }

    /// Of a request that must have a key.
    public init<Request: Message, Response: Message>(
        _ method: MethodDescriptor, once: [(String, String)] = [],
        _ context: @escaping @Sendable (MethodDescriptor) -> ServerContext,
        _ request: Request, key: any WritableKeyPath<Request, String> & Sendable,
        other: @escaping @Sendable (inout Request) -> Void,
        _ body: @escaping @Sendable (Request, ServerContext) async throws -> Response
    ) {
        self.init(
            method, once, context, request, { $0[keyPath: key] = $1 }, other: other, body)
    }

    private init<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ once: [(String, String)],
        _ context: @escaping @Sendable (MethodDescriptor) -> ServerContext,
        _ request: Request, _ setKey: @escaping @Sendable (inout Request, String) -> Void,
        other: @escaping @Sendable (inout Request) -> Void,
        _ body: @escaping @Sendable (Request, ServerContext) async throws -> Response
    ) {
        name = "\(method.service)/\(method.name)"
        self.once = once
        call = { text, isOther in
            var request = request
            setKey(&request, text)
            if isOther { other(&request) }
            let context = context(method)
            let response = try await body(request, context)
            return Answer(
                bytes: response.encoded(),
                isReplayed: context.trailingMetadata.first("idempotency-replayed") == "true")
        }
    }

    /// A first try that is rolled back at its end; then twins at the same time, one of which does
    /// it; then the same again, and another request.
    /// - Returns: what was not as it should be.
    public func problems(schema: String, in database: String) async throws -> [String] {
        let bench = KeyBench(schema: schema, database: database)
        let key = "key of \(name)"
        var problems: [String] = []
        func expect(_ isSo: Bool, _ otherwise: @autoclosure () -> String) {
            if !isSo { problems.append("\(name): \(otherwise())") }
        }
        let before = try bench.fingerprint()
        try bench.plan(failureOf: key)
        let lost = try? await call(key, false)
        try bench.clear()
        expect(lost == nil, "an answer although its key could not be kept")
        expect(try bench.fingerprint() == before, "a try that was rolled back has left something")
        let twins = await withTaskGroup(of: Result<Answer, any Error>.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    do { return .success(try await call(key, false)) } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let answers = twins.compactMap { try? $0.get() }
        expect(answers.count == 6, "twins were refused: \(twins)")
        expect(Set(answers.map(\.bytes)).count == 1, "twins were told different things")
        expect(answers.count { !$0.isReplayed } == 1, "not one of the twins did it: \(answers)")
        for (sql, answer) in once {
            let found = try bench.ask(sql)
            expect(found == answer, "\(sql): \(found), not \(answer)")
        }
        let done = try bench.fingerprint()
        let again = try await call(key, false)
        expect(again.bytes == answers.first?.bytes && again.isReplayed, "again: another answer")
        do {
            _ = try await call(key, true)
            expect(false, "another request was done under the same key")
        } catch {
            let message = RPCError(wrapping: error).message
            expect(message.contains("was used for another request"), "another request: \(message)")
        }
        expect(try bench.fingerprint() == done, "a repetition has changed something")
        return problems
    }
}

/// What a test does to a service's database behind its back.
private struct KeyBench {
    let schema: String
    let database: String

    func ask(_ sql: String) throws -> String {
        try PostgresCluster.shared().psql(
            "set search_path = \(schema), public; \(sql)", database: database
        ).split(separator: "\n").last.map { String($0) } ?? ""
    }

    /// Of all rows but those of keys.
    func fingerprint() throws -> String {
        let tables = try PostgresCluster.shared().psql(
            """
            select string_agg(
                format('(select md5(coalesce(string_agg(x::text, '','' order by x::text), ''''))'
                    ' from %I.%I x)', n.nspname, c.relname), ' || ' order by c.relname)
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = '\(schema)' and c.relkind in ('r', 'p') and not c.relispartition
              and c.relname <> 'idempotency_key'
            """, database: database)
        return try ask("select \(tables)")
    }

    /// The key cannot be kept until ``clear()``, alone or with others.
    func plan(failureOf key: String) throws {
        _ = try ask(
            """
            create function planned_failure() returns trigger language plpgsql as $$
            begin
                if tg_op = 'UPDATE' or new.response <> '' then raise exception 'planned'; end if;
                return new;
            end $$;
            create trigger planned_failure before insert or update on idempotency_key
                for each row when (new.key = '\(key)') execute function planned_failure();
            select 1
            """)
    }

    func clear() throws {
        _ = try ask(
            """
            drop trigger planned_failure on idempotency_key; drop function planned_failure();
            select 1
            """)
    }
}
