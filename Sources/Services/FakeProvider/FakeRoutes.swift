import Crypto
import Environment
import HTTP1
import Protobuf
import Synchronization

/// What the pretended providers answer.
struct FakeRoutes {
    let provider: FakeProvider

    func answer(_ head: HTTPRequestHead, _ body: [UInt8]) -> HTTPResponse {
        if provider.state.withLock({ $0.isDown }) { return json(503, ["error": "down"]) }
        guard let path = try? head.pathSegments() else { return json(400, [:]) }
        switch (head.method, path.first ?? "") {
        case (.get, "pay") where path.count == 2: return page(path[1])
        case (.post, "pay") where path.count == 2: return decide(path[1], body)
        default: break
        }
        let isMidtrans =
            path.first == "snap" || path.first == "v2" && path.dropFirst().first != "invoices"
        guard isAuthorized(head, isMidtrans) else { return json(401, ["error": "unauthorized"]) }
        switch (head.method, path.count, path.last ?? "") {
        case (.post, 3, "transactions"): return snap(body)
        case (.get, 3, "status"): return status(path[1])
        case (.post, 3, "refund"): return midtransRefund(path[1], body)
        case (.post, 2, "invoices"): return invoice(body)
        case (.get, 2, "invoices"): return invoices(head)
        case (.post, 1, "refunds"): return xenditRefund(body)
        default: return json(404, ["error": "no such path"])
        }
    }

    private func isAuthorized(_ head: HTTPRequestHead, _ isMidtrans: Bool) -> Bool {
        let key = isMidtrans ? provider.keys.midtransServerKey : provider.keys.xenditSecretKey
        let expected = "Basic " + Base64.encode(Array("\(key):".utf8))
        return constantTimeEqual(expected, head.headers.first("authorization") ?? "")
    }

    private func json(_ status: Int, _ value: JSONValue) -> HTTPResponse {
        HTTPResponse(
            status: HTTPStatus(rawValue: status), contentType: "application/json",
            body: value.encoded())
    }

    private func add(_ charge: FakeCharge) {
        provider.state.withLock { state in
            if state.charges.updateValue(charge, forKey: charge.id) == nil {
                state.order.append(charge.id)
            }
            if state.order.count > FakeProvider.limit {
                state.charges[state.order.removeFirst()] = nil
            }
        }
    }

    // MARK: Midtrans

    private func snap(_ body: [UInt8]) -> HTTPResponse {
        guard let json = try? JSONValue.parse(body), let details = json["transaction_details"],
            let id = details["order_id"]?.string, let amount = text(details["gross_amount"])
        else { return self.json(400, ["error_messages": ["transaction_details is required"]]) }
        // Until the customer has chosen how to pay, the same order may be asked for again.
        if let known = provider.charge(id), known.status != .created {
            return self.json(400, ["error_messages": ["order_id has been used"]])
        }
        var charge = FakeCharge(.midtrans, id: id, amount: amount, currency: "IDR")
        charge.returnURL = json["callbacks"]?["finish"]?.string
        charge.seconds = text(json["expiry"]?["duration"]).flatMap { Int64($0) }.map { $0 * 60 }
        add(charge)
        return self.json(
            201,
            [
                "token": .string(charge.providerID),
                "redirect_url": .string(provider.page(id)),
            ])
    }

    private func status(_ id: String) -> HTTPResponse {
        guard let charge = provider.charge(id), charge.status != .created else {
            return json(404, ["status_code": "404", "status_message": "no such transaction"])
        }
        return json(200, charge.midtrans(sign: provider.sign))
    }

    private func midtransRefund(_ id: String, _ body: [UInt8]) -> HTTPResponse {
        guard let json = try? JSONValue.parse(body), let key = json["refund_key"]?.string,
            let amount = text(json["amount"])
        else { return self.json(400, ["status_code": "400"]) }
        guard let isNew = refund(id, key, amount) else {
            return self.json(200, ["status_code": "412", "status_message": "not refundable"])
        }
        guard isNew else { return self.json(200, ["status_code": "406"]) }
        return self.json(200, ["status_code": "200", "refund_key": .string(key)])
    }

    // MARK: Xendit

    private func invoice(_ body: [UInt8]) -> HTTPResponse {
        guard let json = try? JSONValue.parse(body), let id = json["external_id"]?.string,
            let amount = text(json["amount"])
        else { return self.json(400, ["error_code": "API_VALIDATION_ERROR"]) }
        var charge = FakeCharge(
            .xendit, id: id, amount: amount, currency: json["currency"]?.string ?? "IDR")
        charge.status = .pending
        charge.returnURL = json["success_redirect_url"]?.string
        charge.seconds = text(json["invoice_duration"]).flatMap { Int64($0) }
        add(charge)
        return self.json(200, charge.xendit(page: provider.page(id)))
    }

    private func invoices(_ head: HTTPRequestHead) -> HTTPResponse {
        let id = (try? head.queryItems())?.first { $0.name == "external_id" }?.value ?? ""
        guard let charge = provider.charge(id), charge.dialect == .xendit else {
            return json(200, [])
        }
        return json(200, .array([charge.xendit(page: provider.page(id))]))
    }

    private func xenditRefund(_ body: [UInt8]) -> HTTPResponse {
        guard let json = try? JSONValue.parse(body), let key = json["reference_id"]?.string,
            let amount = text(json["amount"]), let invoice = json["invoice_id"]?.string,
            let id = provider.state.withLock({ state in
                state.charges.values.first { $0.providerID == invoice }?.id
            })
        else { return self.json(400, ["error_code": "DATA_NOT_FOUND"]) }
        guard refund(id, key, amount) != nil else {
            return self.json(400, ["error_code": "REFUND_NOT_SUPPORTED"])
        }
        return self.json(200, ["id": .string("rfd-\(key)"), "status": "SUCCEEDED"])
    }

    // MARK: Both

    private func text(_ value: JSONValue?) -> String? {
        switch value {
        case .string(let text)?, .number(let text)?: text
        default: nil
        }
    }

    /// Whether the refund is new; nil when it is not possible.
    private func refund(_ id: String, _ key: String, _ amount: String) -> Bool? {
        provider.state.withLock { state in
            guard state.refundsArePossible, var charge = state.charges[id], charge.status == .paid
            else { return nil }
            if charge.refunds[key] != nil { return false }
            let back = charge.refunds.values.reduce(Int64(amount) ?? .max) {
                $0 + (Int64($1) ?? 0)
            }
            guard back <= Int64(charge.amount) ?? 0 else { return nil }
            charge.refunds[key] = amount
            state.charges[id] = charge
            return true
        }
    }

    // MARK: The page

    private func page(_ id: String) -> HTTPResponse {
        guard let charge = provider.charge(id) else {
            return html(404, "<h1>No such payment</h1>")
        }
        let sum = "\(charge.currency) \(Self.escaped(charge.amount))"
        switch charge.status {
        case .created, .pending:
            return html(
                200,
                """
                <h1>Pretended payment</h1><p>No money moves here. The amount is \
                <strong>\(sum)</strong>.</p>
                <form method="post"><button name="action" value="pay">Pay</button>
                <button name="action" value="fail">Refuse</button></form>
                """)
        case .paid: return html(200, "<h1>Paid</h1><p>\(sum)</p>")
        case .failed: return html(200, "<h1>Refused</h1><p>\(sum)</p>")
        case .expired: return html(200, "<h1>Expired</h1><p>\(sum)</p>")
        }
    }

    private func decide(_ id: String, _ body: [UInt8]) -> HTTPResponse {
        guard let charge = provider.charge(id) else {
            return html(404, "<h1>No such payment</h1>")
        }
        if charge.status == .created || charge.status == .pending {
            switch String(decoding: body, as: UTF8.self) {
            case "action=pay": provider.change(id, to: .paid)
            case "action=fail": provider.change(id, to: .failed)
            default: return html(400, "<h1>Pay or refuse</h1>")
            }
        }
        var response = HTTPResponse(status: HTTPStatus(rawValue: 303))
        try? response.headers.add("location", charge.returnURL ?? provider.page(id))
        return response
    }

    private func html(_ status: Int, _ body: String) -> HTTPResponse {
        let text = """
            <!doctype html><html lang="en"><meta charset="utf-8">
            <meta name="viewport" content="width=device-width"><title>Pretended payment</title>
            \(body)</html>
            """
        return HTTPResponse(
            status: HTTPStatus(rawValue: status), contentType: "text/html; charset=utf-8",
            body: Array(text.utf8))
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    }
}
