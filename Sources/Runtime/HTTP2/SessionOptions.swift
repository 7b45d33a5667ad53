import CNghttp2
import Glibc

/// Builds an `nghttp2_option`; the caller deletes it.
enum SessionOptions {
    private typealias SetResetRate =
        @convention(c) (OpaquePointer?, UInt64, UInt64) -> Void
    private typealias SetContinuations = @convention(c) (OpaquePointer?, Int) -> Void

    /// Two options that Debian backported: absent from a stock libnghttp2 1.52.
    nonisolated(unsafe) private static let resetRateSymbol = dlsym(
        nil, "nghttp2_option_set_stream_reset_rate_limit")
    nonisolated(unsafe) private static let continuationsSymbol = dlsym(
        nil, "nghttp2_option_set_max_continuations")

    /// What the library sends in one header block, by its own pessimistic estimate.
    static let maxSentHeaderBytes = 64 << 10

    static func make(_ configuration: HTTP2Configuration) -> OpaquePointer? {
        var option: OpaquePointer?
        guard nghttp2_option_new(&option) == 0, let option else { return nil }
        nghttp2_option_set_no_auto_window_update(option, 1)
        nghttp2_option_set_no_closed_streams(option, 1)
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1)
        nghttp2_option_set_max_outbound_ack(option, 200)
        nghttp2_option_set_max_settings(option, 32)
        nghttp2_option_set_peer_max_concurrent_streams(option, 100)
        nghttp2_option_set_max_send_header_block_length(option, maxSentHeaderBytes)
        if let symbol = resetRateSymbol {
            // Its default is too low for gRPC (grpc-node #2872) and says INTERNAL_ERROR: resets
            // are counted by the session.
            unsafeBitCast(symbol, to: SetResetRate.self)(option, 1 << 40, 1 << 40)
        }
        if let symbol = continuationsSymbol {
            // The library counts every piece in which the 9 bytes of such a frame's header arrive.
            unsafeBitCast(symbol, to: SetContinuations.self)(
                option, 9 * configuration.maxContinuations)
        }
        return option
    }
}
