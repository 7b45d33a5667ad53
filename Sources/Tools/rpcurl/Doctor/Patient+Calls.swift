import Compression
import Environment
import HTTP2
import RPC

/// Checks of deadlines, limits and compression.
extension Patient {
    func deadline() async -> Verdict {
        let limit = Duration.milliseconds(200)
        let start = Deadline.now()
        guard let stream = await openCall([("grpc-timeout", "200m")]) else {
            return Patient.nothingToCall
        }
        guard await stream.end(within: limit + .seconds(5)) else {
            stream.reset(.cancel)
            return .warn("a call goes on after its grpc-timeout: handlers work for nobody")
        }
        let time = start.duration(to: .now())
        let shown = Patient.milliseconds(time)
        guard stream.code == .deadlineExceeded || stream.resetCode == .cancel else {
            return .warn("at its grpc-timeout of 200 ms a call ended with \(stream.outcome)")
        }
        return time < .milliseconds(190)
            ? .warn("grpc-timeout 200 ms ended the call after \(shown) already")
            : .ok("grpc-timeout 200 ms ended the call after \(shown) (\(stream.outcome))")
    }

    func messageSize() async -> Verdict {
        let size = (4 << 20) + 1
        let name = String(repeating: "a", count: size)
        guard let (path, message) = harmlessCall(name) else { return Patient.nothingToCall }
        guard let answer = await call(path, message) else {
            return .fail("the connection was lost")
        }
        let survivor = await current()
        guard let survivor, await survivor.ping(within: Patient.patience) != nil else {
            return .fail("a message of 4 MiB + 1 cost the connection")
        }
        if await isUsual(answer.code) {
            return .warn("4 MiB + 1 are accepted: what is the limit? (4 MiB is usual)")
        }
        switch answer.code {
        case .resourceExhausted?: return .ok("4 MiB + 1 are refused with RESOURCE_EXHAUSTED")
        case .notFound?:
            return .warn("4 MiB + 1 are accepted: what is the limit? (4 MiB is usual)")
        default:
            return .warn("4 MiB + 1 end with \(answer.outcome), not RESOURCE_EXHAUSTED")
        }
    }

    func compression() async -> Verdict {
        guard let (path, message) = harmlessCall() else { return Patient.nothingToCall }
        guard let small = try? CompressionAlgorithm.gzip.compress(message) else {
            return .skip("no memory to compress with")
        }
        guard let answer = await call(path, small, [("grpc-encoding", "gzip")], isCompressed: true)
        else { return .fail("the connection was lost") }
        if await isUsual(answer.code) {
            return .ok("gzip is accepted (\(answer.acceptedEncodings ?? "no list"))")
        }
        switch answer.code {
        case .unimplemented? where answer.acceptedEncodings != nil:
            return .ok(
                "gzip is refused as it should be; accepted: \(answer.acceptedEncodings ?? "")")
        case .unimplemented?:
            return .warn("gzip is refused without grpc-accept-encoding: clients cannot adapt")
        default: return .fail("a gzip message ends with \(answer.outcome)")
        }
    }

    func unknownEncoding() async -> Verdict {
        guard let (path, message) = harmlessCall() else { return Patient.nothingToCall }
        guard
            let answer = await call(
                path, message, [("grpc-encoding", "x-rpcurl")], isCompressed: true)
        else { return .fail("the connection was lost") }
        if await isUsual(answer.code) {
            return .fail("a message in an unknown grpc-encoding is taken for something it is not")
        }
        switch answer.code {
        case .unimplemented?: break
        default:
            return .warn(
                "an unknown grpc-encoding ends with \(answer.outcome), not UNIMPLEMENTED: clients "
                    + "cannot adapt")
        }
        return answer.acceptedEncodings == nil
            ? .warn("an unknown grpc-encoding is refused without grpc-accept-encoding")
            : .ok("an unknown grpc-encoding is refused with the list of known ones")
    }

    func framing() async -> Verdict {
        guard let (path, message) = harmlessCall() else { return Patient.nothingToCall }
        guard let answer = await call(path, message, isCompressed: true) else {
            return .fail("the connection was lost")
        }
        guard answer.code == .internalError else {
            return .warn(
                "a compressed message without grpc-encoding ends with \(answer.outcome), not "
                    + "INTERNAL")
        }
        return .ok("a compressed message without grpc-encoding is INTERNAL")
    }
}
