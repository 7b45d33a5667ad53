import HTTP2
import RPC

/// The status of a call whose server sent none (PROTOCOL-HTTP2.md, http-grpc-status-mapping.md).
enum StatusMapping {
    static func code(ofHTTP status: Int) -> RPCError.Code {
        switch status {
        case 400: .internalError
        case 401: .unauthenticated
        case 403: .permissionDenied
        case 404: .unimplemented
        case 429, 502, 503, 504: .unavailable
        default: .unknown
        }
    }

    static func code(of reset: HTTP2Code) -> RPCError.Code {
        switch reset {
        case .refusedStream: .unavailable
        case .cancel: .cancelled
        case .enhanceYourCalm: .resourceExhausted
        case .inadequateSecurity: .permissionDenied
        default: .internalError
        }
    }
}
