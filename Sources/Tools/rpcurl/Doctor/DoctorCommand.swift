import HTTP2
import Loop
import Protobuf

/// `doctor`: a verdict on each thing that clients of a gRPC server rely on.
struct DoctorCommand {
    private let session: Session

    init(_ session: Session) {
        self.session = session
    }

    /// - Parameter method: what to call of a server without health and reflection.
    /// - Returns: 1 when a check failed.
    func run(_ method: String?) async throws -> Int32 {
        let patient = Patient(session, method: method)
        let checks: [(name: String, run: () async -> Verdict)] = [
            ("tls", patient.encryption), ("settings", patient.settings), ("ping", patient.ping),
            ("reflection", patient.reflection), ("health", patient.health),
            ("trailers", patient.trailers), ("unimplemented", patient.unimplemented),
            ("content-type", patient.contentType), ("deadline", patient.deadline),
            ("cancel", patient.cancel), ("message size", patient.messageSize),
            ("compression", patient.compression), ("encodings", patient.unknownEncoding),
            ("framing", patient.framing),
        ]
        try await patient.connect()
        var results: [JSONValue] = []
        var failures = 0
        var warnings = 0
        for (name, run) in checks {
            let verdict = await run()
            try Task.checkCancellation()
            if verdict.grade == .fail { failures += 1 }
            if verdict.grade == .warn { warnings += 1 }
            if session.settings.json {
                results.append(verdict.json(name))
            } else {
                try session.output.line(verdict.line(name))
            }
        }
        patient.close()
        if session.settings.json {
            let object: JSONValue = [
                "address": .string(session.address?.text ?? ""), "failed": .number("\(failures)"),
                "warnings": .number("\(warnings)"), "checks": .array(results),
            ]
            try session.output.line(JSONText.layout(object, compact: session.settings.compact))
        } else {
            try session.output.line("\(failures) failed, \(warnings) warnings")
        }
        return failures == 0 ? 0 : 1
    }
}
