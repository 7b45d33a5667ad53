import Environment
import HTTP2
import RPC
import RPCHTTP2
import TLS

/// Checks of the connection and of the shape of answers.
extension Patient {
    func settings() async -> Verdict {
        guard let session = await current()?.session else {
            return .fail("the connection was lost")
        }
        let settings = session.peerSettings
        func text(_ value: UInt32) -> String { value == .max ? "no limit" : "\(value)" }
        let all =
            "streams \(text(settings.maxConcurrentStreams)), window \(settings.initialWindow), "
            + "frames \(settings.maxFrameSize), headers \(text(settings.maxHeaderListBytes))"
        if settings.maxConcurrentStreams == .max {
            return .warn("\(all): a client may open any number of streams (RFC 9113 §10.5)")
        }
        if settings.maxConcurrentStreams < 100 {
            return .warn("\(all): fewer than 100 streams (RFC 9113 §6.5.2) make clients wait")
        }
        return .ok(all)
    }

    func encryption() async -> Verdict {
        guard let tls else { return .ok("none: plaintext") }
        guard let agreement = tls.agreement, let certificate = tls.peerCertificate else {
            return .fail("the connection was lost")
        }
        let days = (certificate.notAfter - Instant.now().secondsSinceEpoch) / 86_400
        let text =
            "\(agreement.version) \(agreement.cipher), \(certificate.subject), \(days) days left"
        return days < 7 ? .warn(text) : .ok(text)
    }

    func ping() async -> Verdict {
        guard let connection = await current() else { return .fail("the connection was lost") }
        guard let time = await connection.ping(within: Patient.patience) else {
            return .fail("no answer to a PING: keepalive would close the connection")
        }
        return .ok("answered in \(Patient.milliseconds(time))")
    }

    func trailers() async -> Verdict {
        guard let (path, message) = harmlessCall() else { return Patient.nothingToCall }
        guard let answer = await call(path, message) else {
            return .fail("the connection was lost")
        }
        guard answer.httpStatus == "200" else {
            return .fail("HTTP status \(answer.httpStatus ?? "none") of a call that succeeds")
        }
        guard answer.contentType?.hasPrefix("application/grpc") == true else {
            return .fail("content-type \(answer.contentType ?? "is missing")")
        }
        guard await isUsual(answer.code), answer.code != nil else {
            return .fail("the call ended with \(answer.outcome): trailers are lost on the way")
        }
        guard answer.code == .ok else {
            return .skip("an empty request ends with \(answer.outcome), without a message")
        }
        return answer.trailers.isEmpty
            ? .fail("grpc-status came before the message, not in trailers")
            : .ok("grpc-status comes in trailers")
    }

    func unimplemented() async -> Verdict {
        guard let answer = await call("/rpcurl.doctor.None/Nothing", []) else {
            return .fail("the connection was lost")
        }
        guard answer.code == .unimplemented else {
            return .fail("an unknown method answers with \(answer.outcome), not UNIMPLEMENTED (12)")
        }
        return answer.httpStatus == "200"
            ? .ok("an unknown method answers UNIMPLEMENTED (12)")
            : .warn("UNIMPLEMENTED (12) with HTTP status \(answer.httpStatus ?? "none")")
    }

    func contentType() async -> Verdict {
        guard let (path, message) = harmlessCall() else { return Patient.nothingToCall }
        guard let answer = await call(path, message, [("content-type", "text/plain")]) else {
            return .fail("the connection was lost")
        }
        return answer.httpStatus == "415"
            ? .ok("text/plain is refused with HTTP status 415")
            : .warn("text/plain gives \(answer.outcome), not HTTP status 415")
    }

    func cancel() async -> Verdict {
        let count = 200
        guard let connection = await current() else { return .fail("the connection was lost") }
        guard let (path, message) = harmlessCall() else { return Patient.nothingToCall }
        for _ in 0..<count {
            guard let stream = connection.open(path) else { break }
            stream.send(message)
            stream.reset(.cancel)
        }
        guard await connection.ping(within: Patient.patience) != nil, connection.goaway == nil,
            connection.isOpen
        else {
            let why = connection.end ?? connection.goaway ?? "no answer any more"
            return .warn("\(count) cancelled calls cost the connection: \(why)")
        }
        guard let answer = await call(path, message), await isUsual(answer.code) else {
            return .fail("after \(count) cancelled calls no call succeeds")
        }
        return .ok("\(count) cancelled calls do not harm the connection")
    }

    static let nothingToCall = Verdict.skip(
        "there is neither health nor reflection to call: doctor SERVICE/METHOD names a method")
}
