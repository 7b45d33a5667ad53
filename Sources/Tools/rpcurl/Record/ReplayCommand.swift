import Environment
import Protobuf
import RPC

/// `replay`: repeats recorded calls and compares the answers.
struct ReplayCommand {
    private let session: Session
    private var settings: Settings { session.settings }

    init(_ session: Session) {
        self.session = session
    }

    /// - Returns: 0 when every call was answered as recorded, else 1.
    func run(_ path: String) async throws -> Int32 {
        let recording = try Recording(
            try await InputFile.contents(of: path, on: session.loop), path: path)
        var same = 0
        var different = 0
        var skipped = 0
        var results: [JSONValue] = []
        for call in recording.calls {
            guard call.end != nil else {
                skipped += 1
                try session.output.note("rpcurl: call \(call.number) has no end and is left out")
                continue
            }
            let answer = try await ReplayedCall(session, call).run()
            let differences = try await compare(call, answer)
            if differences.isEmpty { same += 1 } else { different += 1 }
            if settings.json {
                results.append(json(call, answer, differences))
            } else {
                try report(call, answer, differences)
            }
        }
        if settings.json {
            let object: JSONValue = [
                "same": .number("\(same)"), "different": .number("\(different)"),
                "skipped": .number("\(skipped)"), "calls": .array(results),
            ]
            try session.output.line(JSONText.layout(object, compact: settings.compact))
        } else {
            let rest = skipped > 0 ? ", \(skipped) left out" : ""
            try session.output.line("\(same) as recorded, \(different) different\(rest)")
        }
        return different == 0 ? 0 : 1
    }

    // MARK: Comparing

    private func compare(
        _ call: Recording.Call, _ answer: ReplayedCall.Answer
    ) async throws -> [AnswerDiff.Difference] {
        var diff = AnswerDiff(ignoring: settings.replay.ignored)
        if call.end?.byClient != true {
            diff.compare(
                status(call.end?.error), status(answer.error), in: ["status"])
        }
        let known = try? await session.source.method(call.method)
        for index in 0..<max(call.responses.count, answer.responses.count) {
            var pair: [JSONValue?] = []
            for list in [call.responses, answer.responses] {
                guard index < list.count else {
                    pair.append(JSONValue?.none)
                    continue
                }
                pair.append(await json(list[index], known))
            }
            diff.compare(pair[0], pair[1], in: ["messages", "[\(index)]"])
        }
        if settings.replay.comparesMetadata {
            diff.compare(
                MetadataText.json(call.headers), MetadataText.json(answer.headers),
                in: ["headers"])
            diff.compare(
                MetadataText.json(call.end?.trailers ?? Metadata()),
                MetadataText.json(answer.trailers), in: ["trailers"])
        }
        return diff.differences
    }

    private func status(_ error: RPCError?) -> JSONValue {
        let details = (error?.details ?? []).map { detail -> JSONValue in
            let value = String(decoding: MetadataBase64.encode(detail.value), as: UTF8.self)
            return ["@type": .string(detail.typeURL), "value": .string(value)]
        }
        return [
            "code": .string(error?.code.name ?? "OK"), "message": .string(error?.message ?? ""),
            "details": .array(details),
        ]
    }

    /// Decoded when the type is known, else the bytes as base64.
    private func json(
        _ bytes: [UInt8], _ known: (method: MethodSchema, pool: DescriptorPool)?
    ) async -> JSONValue {
        if let known {
            var printing = Settings()
            printing.json = true
            var printer = MessagePrinter(session.source, known.pool, printing)
            if let text = try? await printer.json(bytes, as: known.method.output),
                let json = try? JSONValue.parse(text, maxDepth: 200)
            {
                return json
            }
        }
        return .string(String(decoding: MetadataBase64.encode(bytes), as: UTF8.self))
    }

    // MARK: What is told

    private func report(
        _ call: Recording.Call, _ answer: ReplayedCall.Answer,
        _ differences: [AnswerDiff.Difference]
    ) throws {
        let verdict = differences.isEmpty ? "same" : "DIFFERS"
        let now = CallTimings.milliseconds(answer.duration)
        let then = CallTimings.milliseconds(call.duration)
        try session.output.line(
            "#\(call.number) \(call.method) \(verdict) (\(now) ms, recorded \(then) ms)")
        for difference in differences { try session.output.line("  \(difference.text)") }
    }

    private func json(
        _ call: Recording.Call, _ answer: ReplayedCall.Answer,
        _ differences: [AnswerDiff.Difference]
    ) -> JSONValue {
        [
            "call": .number("\(call.number)"), "method": .string(call.method),
            "same": .bool(differences.isEmpty),
            "differences": .array(differences.map(\.json)),
            "ms": .number(CallTimings.milliseconds(answer.duration)),
            "recorded_ms": .number(CallTimings.milliseconds(call.duration)),
        ]
    }
}
