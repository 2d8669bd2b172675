// peer.js ROOT-PEM COLLATERAL-SET QUOTE: what @phala/dcap-qvl makes of a quote under this root, now.
// Prints a status, or "refused: ..." where it throws. NODE_PATH names where the package is.
'use strict';
const fs = require('fs');
const path = require('path');
const { QuoteVerifier } = require('@phala/dcap-qvl');

const [root, set, quote] = process.argv.slice(2);
const text = (f) => fs.readFileSync(path.join(set, f), 'utf8');
const hex = (f) => fs.readFileSync(path.join(set, f)).toString('hex');

function signedObject(file, member) {
    // The exact bytes of the signed object, as a PCS serves them.
    const whole = text(file);
    return [whole.slice(`{"${member}":`.length, whole.lastIndexOf(',"signature":"')), JSON.parse(whole).signature];
}

const [tcbInfo, tcbSignature] = signedObject('tcb_info.json', 'tcbInfo');
const [qeIdentity, qeSignature] = signedObject('qe_identity.json', 'enclaveIdentity');
const pem = fs.readFileSync(root, 'utf8');
const der = Buffer.from(pem.replace(/-----[A-Z ]*-----/g, ''), 'base64');
try {
    const verifier = QuoteVerifier.newWithRootCa(der);
    const report = verifier.verify(new Uint8Array(fs.readFileSync(quote)), {
        pck_crl_issuer_chain: text('pck_crl_issuer_chain.pem'),
        root_ca_crl: hex('root_ca_crl.der'),
        pck_crl: hex('pck_crl.der'),
        tcb_info_issuer_chain: text('tcb_signing_chain.pem'),
        tcb_info: tcbInfo,
        tcb_info_signature: tcbSignature,
        qe_identity_issuer_chain: text('tcb_signing_chain.pem'),
        qe_identity: qeIdentity,
        qe_identity_signature: qeSignature,
    }, Math.floor(Date.now() / 1000));
    console.log(report.status);
} catch (e) {
    console.log(`refused: ${e.message}`);
}
