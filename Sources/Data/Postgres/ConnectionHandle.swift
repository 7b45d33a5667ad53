import CLibpq
import Glibc

/// Owns one `PGconn`, in non-blocking mode. Not thread-safe in C: used on its loop only, except
/// for the start of the connection, which resolves names and reads files.
final class ConnectionHandle: @unchecked Sendable {  // see above
    private var raw: OpaquePointer?
    private let notices: NoticeBox

    /// Starts to connect: resolves names and reads files, so call it off the loop.
    /// - Throws: ``PostgresError/Code/connectFailed``.
    init(parameters: [(String, String)]) throws(PostgresError) {
        notices = NoticeBox()
        var keywords = parameters.map { strdup($0.0) }
        var values = parameters.map { strdup($0.1) }
        keywords.append(nil)
        values.append(nil)
        defer {
            for pointer in keywords { free(pointer) }
            for pointer in values { free(pointer) }
        }
        let constKeywords = keywords.map { UnsafePointer($0) }
        let constValues = values.map { UnsafePointer($0) }
        raw = PQconnectStartParams(constKeywords, constValues, 1)
        guard raw != nil else {
            throw PostgresError(code: .connectFailed, message: "out of memory", blame: .us)
        }
        guard PQstatus(raw) != CONNECTION_BAD else { throw connectError() }
        // The box lives as long as this handle, and libpq calls it only from calls made here.
        PQsetNoticeReceiver(raw, receiveNotice, Unmanaged.passUnretained(notices).toOpaque())
    }

    deinit { close() }

    func close() {
        guard let raw else { return }
        PQfinish(raw)
        self.raw = nil
    }

    func connectError() -> PostgresError {
        PostgresError(code: .connectFailed, message: errorMessage, blame: .database)
    }

    var errorMessage: String {
        let text = PQerrorMessage(raw).map { String(cString: $0) } ?? ""
        return text.last == "\n" ? String(text.dropLast()) : text
    }

    var descriptor: Int32 { PQsocket(raw) }
    func pollConnect() -> PostgresPollingStatusType { PQconnectPoll(raw) }
    var isBroken: Bool { PQstatus(raw) != CONNECTION_OK }
    var serverVersion: Int32 { PQserverVersion(raw) }
    var backendID: Int32 { PQbackendPID(raw) }
    var transactionStatus: PGTransactionStatusType { PQtransactionStatus(raw) }

    func enterPipeline() -> Bool {
        PQsetnonblocking(raw, 1) == 0 && PQenterPipelineMode(raw) == 1
    }

    func exitPipeline() -> Bool { PQexitPipelineMode(raw) == 1 }

    /// Reads what the socket has. False: the connection is lost.
    func consumeInput() -> Bool { PQconsumeInput(raw) == 1 }

    var isBusy: Bool { PQisBusy(raw) == 1 }

    /// 0: all sent; 1: wait until writable; -1: the connection is lost.
    func flush() -> Int32 { PQflush(raw) }

    func nextResult() -> ResultHandle? { PQgetResult(raw).map { ResultHandle($0) } }

    func sync() -> Bool { PQpipelineSync(raw) == 1 }

    func sendScript(_ text: String) -> Bool { PQsendQuery(raw, text) == 1 }

    func sendCommand(_ text: String) -> Bool {
        PQsendQueryParams(raw, text, 0, nil, nil, nil, nil, 0) == 1
    }

    func sendPrepare(name: String, text: String, _ parameters: PostgresParameters) -> Bool {
        withUnsafeTemporaryAllocation(of: Oid.self, capacity: max(parameters.count, 1)) { types in
            for (index, slot) in parameters.slots.enumerated() { types[index] = slot.type }
            return PQsendPrepare(raw, name, text, Int32(parameters.count), types.baseAddress) == 1
        }
    }

    /// Sends the values as they lie in the parameters' buffer, asking for text results.
    func sendExecute(name: String, _ parameters: PostgresParameters) -> Bool {
        let count = parameters.count
        guard count > 0 else {
            return PQsendQueryPrepared(raw, name, 0, nil, nil, nil, 0) == 1
        }
        return parameters.buffer.withUnsafeBytes { buffer in
            withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) {
                values in
                withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * count) { numbers in
                    for (index, slot) in parameters.slots.enumerated() {
                        let address =
                            slot.offset < 0 ? nil : buffer.baseAddress?.advanced(by: slot.offset)
                        values.initializeElement(
                            at: index, to: address?.assumingMemoryBound(to: CChar.self))
                        numbers[index] = slot.length
                        numbers[count + index] = slot.isBinary ? 1 : 0
                    }
                    let lengths = numbers.baseAddress
                    return PQsendQueryPrepared(
                        raw, name, Int32(count), values.baseAddress, lengths,
                        lengths.map { $0 + count }, 0) == 1
                }
            }
        }
    }

    /// Whether a replication warning came since the last call.
    func takeReplicationWarning() -> Bool {
        defer { notices.sawReplicationWarning = false }
        return notices.sawReplicationWarning
    }

    /// What cancelling needs; usable on any thread, also after `close`.
    func makeCancelHandle() -> CancelHandle? { PQgetCancel(raw).map { CancelHandle($0) } }
}

/// Owns one `PGcancel`.
final class CancelHandle: @unchecked Sendable {  // immutable; PQcancel is thread-safe
    private let raw: OpaquePointer

    fileprivate init(_ raw: OpaquePointer) { self.raw = raw }

    deinit { PQfreeCancel(raw) }

    /// Blocks until the server has taken the request.
    func cancel() {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            _ = PQcancel(raw, buffer.baseAddress, 256)
        }
    }
}

/// What the server said beside the results.
private final class NoticeBox {
    var sawReplicationWarning = false
}

private func receiveNotice(_ context: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
    guard let context, let result,
        let function = PQresultErrorField(result, Int32(UInt8(ascii: "R"))),
        strcmp(function, "SyncRepWaitForLSN") == 0
    else { return }
    Unmanaged<NoticeBox>.fromOpaque(context).takeUnretainedValue().sawReplicationWarning = true
}
