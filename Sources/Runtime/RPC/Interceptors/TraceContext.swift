public import Telemetry

/// A place in a distributed trace: W3C Trace Context, `traceparent` and `tracestate`
/// (https://www.w3.org/TR/trace-context/).
public struct TraceContext: Sendable, Hashable {
    /// Never zero.
    public let traceID: (high: UInt64, low: UInt64)
    /// Never zero.
    public let spanID: UInt64
    public var flags: UInt8
    /// What vendors wrote into `tracestate`, passed on as it is; empty for none.
    public var state: String

    /// Somebody upstream records this trace.
    public var isSampled: Bool { flags & 1 != 0 }

    /// The start of a new trace.
    /// - Parameter random: gives the ids; any numbers but zero.
    public init(isSampled: Bool = true, random: () -> UInt64) {
        traceID = (random(), TraceContext.nonzero(random))
        spanID = TraceContext.nonzero(random)
        flags = isSampled ? 1 : 0
        state = ""
    }

    private init(
        traceID: (high: UInt64, low: UInt64), spanID: UInt64, flags: UInt8, state: String
    ) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
        self.state = state
    }

    /// Nil when `traceparent` breaks the rules (§3.2.2): it is ignored then, and so is the state.
    public init?(_ traceparent: String, state: String = "") {
        let bytes = Array(traceparent.utf8)
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = TraceContext.number(bytes[0..<2]), version != 0xff,
            // A later version may append fields; of this one the length is fixed.
            bytes.count == 55 || (version > 0 && bytes[55] == dash),
            let high = TraceContext.number(bytes[3..<19]),
            let low = TraceContext.number(bytes[19..<35]),
            let span = TraceContext.number(bytes[36..<52]),
            let flags = TraceContext.number(bytes[53..<55]), high | low != 0, span != 0
        else { return nil }
        self.init(
            traceID: (high, low), spanID: span, flags: UInt8(truncatingIfNeeded: flags),
            state: TraceContext.isAcceptable(state) ? state : "")
    }

    /// The same trace, one step further down.
    public func child(random: () -> UInt64) -> TraceContext {
        TraceContext(
            traceID: traceID, spanID: TraceContext.nonzero(random), flags: flags & 1, state: state)
    }

    /// 32 hexadecimal digits.
    public var traceIDText: String {
        TraceContext.hex(traceID.high, 16) + TraceContext.hex(traceID.low, 16)
    }

    /// 16 hexadecimal digits.
    public var spanIDText: String { TraceContext.hex(spanID, 16) }

    public var traceparent: String {
        "00-\(traceIDText)-\(spanIDText)-\(TraceContext.hex(UInt64(flags), 2))"
    }

    public var logFields: LogFields {
        ["trace_id": .string(traceIDText), "span_id": .string(spanIDText)]
    }

    public static func == (left: TraceContext, right: TraceContext) -> Bool {
        left.traceID == right.traceID && left.spanID == right.spanID && left.flags == right.flags
            && left.state == right.state
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(traceID.low)
        hasher.combine(spanID)
    }

    /// At most 512 bytes and 32 members; a longer list is left out whole (§3.3.1.5).
    private static func isAcceptable(_ state: String) -> Bool {
        state.utf8.count <= 512 && state.utf8.count { $0 == UInt8(ascii: ",") } < 32
    }

    private static func nonzero(_ random: () -> UInt64) -> UInt64 {
        let number = random()
        return number == 0 ? 1 : number
    }

    /// Lower case only, as the specification says.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return number
    }

    private static func hex(_ number: UInt64, _ digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: digits - text.count) + text
    }
}
