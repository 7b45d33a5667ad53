import Environment

/// One round trip: statements that travel together and are answered together, or one script.
///
/// Confined to the loop once it has been started.
final class Exchange: @unchecked Sendable {
    typealias Answer = Result<[PostgresRows], PostgresError>

    enum Work {
        /// One pipeline, ended by one Sync: after an error the rest is skipped.
        case statements([SQL])
        /// Several statements in one text, by the simple protocol; for migrations.
        case script(String)
    }

    let work: Work
    let deadline: Deadline
    /// Whether losing the answer leaves it unknown if something was committed.
    let commits: Bool
    /// Which statement is the COMMIT, if one is.
    let commitIndex: Int?
    /// Refused when no transaction is open, instead of taking effect on its own.
    let needsTransaction: Bool
    let startedAt = Deadline.now()

    var results: [PostgresRows] = []
    /// The first error the server sent; what follows it in the pipeline is skipped.
    private(set) var error: PostgresError?
    /// The error belongs to the COMMIT itself, so a connection lost with it says nothing.
    private var errorIsOfCommit = false
    private var completion: ((Answer) -> Void)?
    /// The caller has its answer, or has gone before the exchange was started.
    private(set) var isAnswered = false

    init(
        _ statements: [SQL], deadline: Deadline, commits: Bool = false, commitIndex: Int? = nil,
        needsTransaction: Bool = false
    ) {
        self.needsTransaction = needsTransaction
        work = .statements(statements)
        self.deadline = deadline
        self.commits = commits || commitIndex != nil
        self.commitIndex = commitIndex
    }

    init(script: String, deadline: Deadline) {
        work = .script(script)
        self.deadline = deadline
        commits = false
        commitIndex = nil
        needsTransaction = false
    }

    /// Why the exchange must not be sent at all.
    var problem: PostgresError? {
        switch work {
        case .script(let text):
            return text.utf8.contains(0) ? .invalidUse("the script has a NUL character") : nil
        case .statements(let statements):
            for statement in statements {
                if let problem = statement.parameters.problem { return .invalidUse(problem) }
            }
            return nil
        }
    }

    func onAnswer(_ completion: @escaping (Answer) -> Void) {
        if isAnswered { completion(.failure(.cancelled)) } else { self.completion = completion }
    }

    func recordError(_ newError: PostgresError, ofCommit: Bool) {
        guard error == nil else { return }
        error = newError
        errorIsOfCommit = ofCommit
    }

    /// Answers the caller; the second and later answers are dropped.
    func answer(_ answer: Answer) {
        isAnswered = true
        guard let completion else { return }
        self.completion = nil
        completion(answer)
    }

    /// The server has answered everything.
    func finish() {
        if let error { answer(.failure(error)) } else { answer(.success(results)) }
    }

    /// The answer will never come. What the server said before counts, unless it said it about the
    /// COMMIT.
    func lose(_ reason: PostgresError) {
        let told = error ?? reason
        let isUnknown = commits && (error == nil || errorIsOfCommit)
        answer(.failure(isUnknown ? told.madeAmbiguous() : told))
    }

    /// The caller does not wait any longer.
    func abandon(_ reason: PostgresError, wasSent: Bool) {
        answer(.failure(commits && wasSent && error == nil ? reason.madeAmbiguous() : reason))
    }
}
