import Environment
import HTTP1
import Protobuf

/// `{"success":…}`: the one shape of every JSON answer (A-12).
enum Envelope {
    static func success(
        _ status: HTTPStatus, data: [UInt8], requestID: String, now: Instant
    ) -> HTTPResponse {
        var body = Array(#"{"success":true,"data":"#.utf8)
        body.reserveCapacity(data.count + 160)
        body += data
        body += meta(requestID, now)
        return response(status, body)
    }

    /// An answer that is not JSON: no envelope, the request's id in a header.
    static func raw(_ status: HTTPStatus, _ body: RawBody, requestID: String) -> HTTPResponse {
        var answer = HTTPResponse(status: status)
        answer.body = body.data
        try? answer.headers.add("content-type", body.contentType)
        answer.headers.add(literal: "cache-control", "no-store")
        answer.headers.add(literal: "x-content-type-options", "nosniff")
        try? answer.headers.add("x-request-id", requestID)
        return answer
    }

    static func failure(_ failure: EdgeFailure, requestID: String, now: Instant) -> HTTPResponse {
        var answer = response(failure.status, body(failure, requestID: requestID, now: now))
        if let seconds = failure.retryAfter {
            try? answer.headers.add("retry-after", String(seconds))
        }
        for field in failure.fields { try? answer.headers.add(field.name, field.value) }
        return answer
    }

    /// The error alone: also the last line of a stream that failed after it began.
    static func body(_ failure: EdgeFailure, requestID: String, now: Instant) -> [UInt8] {
        var body = Array(#"{"success":false,"error":{"code":"#.utf8)
        body += JSONValue.string(failure.code).encoded()
        body += Array(#","message":"#.utf8)
        body += JSONValue.string(failure.message).encoded()
        body += Array(#","details":["#.utf8)
        for (index, detail) in failure.details.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += detail
        }
        body += Array("]}".utf8)
        body += meta(requestID, now)
        return body
    }

    private static func meta(_ requestID: String, _ now: Instant) -> [UInt8] {
        // A request id has letters, digits and -_.: only.
        Array(#","meta":{"timestamp":"\#(now.rfc3339)","request_id":"\#(requestID)"}}"#.utf8)
    }

    private static func response(_ status: HTTPStatus, _ body: [UInt8]) -> HTTPResponse {
        var response = HTTPResponse(
            status: status, contentType: "application/json; charset=utf-8", body: body)
        response.headers.add(literal: "cache-control", "no-store")
        return response
    }
}
